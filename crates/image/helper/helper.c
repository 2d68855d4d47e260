// The helper of the container's entrypoint: what a shell without other programs cannot do.
//
//   helper routes NETWORK…   keeps routes to the tunnel device in the main routing table
//   helper health            asks the daemon for its status; exit status 0 if it answers
//   helper wait SECONDS      waits until the daemon answers
//   helper adopt FROM TO ID  makes TO a copy of the folder FROM, unless it was done for this ID before
//   helper ready SECONDS FILE  waits until the node is running and connected to the control server, then makes FILE
//
// It is linked statically with musl and uses no printf: it has about 14 kB.

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

static const char DEVICE[] = "tailscale0";
static const char SOCKET[] = "/var/run/tailscale/tailscaled.sock";
// tailscaled's LocalAPI rejects other host names (upstream's ipn/localapi).
static const char REQUEST[] = "GET /localapi/v0/status?peers=false HTTP/1.0\r\nHost: local-tailscaled.sock\r\n\r\n";

// How long the daemon may take to answer, in seconds.
enum { ANSWER = 10 };

// A network: family, prefix length and address.
struct network {
    unsigned char family, length, bytes[16];
};

static void report(const char *what, const char *which) {
    // The log is the only reader; a failed write changes nothing.
    (void)!write(2, "helper: ", 8);
    (void)!write(2, which, strlen(which));
    (void)!write(2, what, strlen(what));
    (void)!write(2, "\n", 1);
}

// Returns a decimal number of at most `largest`, or -1.
static int number(const char *text, int largest) {
    int value = 0;
    if (!*text)
        return -1;
    for (; *text; text++) {
        if (*text < '0' || *text > '9' || (value = value * 10 + (*text - '0')) > largest)
            return -1;
    }
    return value;
}

static int parse(char *text, struct network *network) {
    char *slash = strchr(text, '/');
    if (!slash)
        return -1;
    *slash = 0;
    network->family = strchr(text, ':') ? AF_INET6 : AF_INET;
    int length = number(slash + 1, network->family == AF_INET ? 32 : 128);
    int is_address = inet_pton(network->family, text, network->bytes);
    *slash = '/';
    network->length = (unsigned char)length;
    return length < 0 || is_address != 1 ? -1 : 0;
}

// Asks the kernel for one route. The answer arrives on the same socket and is ignored: a route that
// exists is an error too, and one that is missing is added again with the next change of a device.
static void add_route(int socket, const struct network *network, int index) {
    struct {
        struct nlmsghdr header;
        struct rtmsg route;
        struct rtattr out;
        int index;
        struct rtattr to;
        unsigned char bytes[16];
    } message;
    int width = network->family == AF_INET ? 4 : 16;
    memset(&message, 0, sizeof message);
    message.header.nlmsg_len = sizeof message - 16 + width;
    message.header.nlmsg_type = RTM_NEWROUTE;
    message.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL;
    message.route.rtm_family = network->family;
    message.route.rtm_dst_len = network->length;
    message.route.rtm_table = RT_TABLE_MAIN;
    message.route.rtm_protocol = RTPROT_STATIC;
    message.route.rtm_scope = network->family == AF_INET ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
    message.route.rtm_type = RTN_UNICAST;
    message.out.rta_len = RTA_LENGTH(sizeof message.index);
    message.out.rta_type = RTA_OIF;
    message.index = index;
    message.to.rta_len = RTA_LENGTH(width);
    message.to.rta_type = RTA_DST;
    memcpy(message.bytes, network->bytes, width);
    (void)!send(socket, &message, message.header.nlmsg_len, 0);
}

static int keep_routes(int count, char **texts) {
    struct network networks[64];
    if (count < 1 || count > 64) {
        report(" networks are too few or too many", "routes");
        return 2;
    }
    for (int i = 0; i < count; i++) {
        if (parse(texts[i], &networks[i])) {
            report(" is not a network", texts[i]);
            return 2;
        }
    }
    int kernel = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    // Addresses too: the device is up before it has one, and an IPv6 route needs IPv6 on it.
    struct sockaddr_nl own = {.nl_family = AF_NETLINK,
                              .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR};
    if (kernel < 0 || bind(kernel, (struct sockaddr *)&own, sizeof own)) {
        report("the kernel's table of routes cannot be changed", "");
        return 1;
    }
    int plain = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq device;
    static char ignored[16384];
    int was_up = 0;
    for (;;) {
        memset(&device, 0, sizeof device);
        memcpy(device.ifr_name, DEVICE, sizeof DEVICE);
        int is_up = !ioctl(plain, SIOCGIFFLAGS, &device) && device.ifr_flags & IFF_UP;
        if (is_up && !ioctl(plain, SIOCGIFINDEX, &device)) {
            for (int i = 0; i < count; i++)
                add_route(kernel, &networks[i], device.ifr_ifindex);
            if (!was_up)
                report(" is up: routes added to the main table", DEVICE);
        }
        was_up = is_up;
        // Only messages of the groups matter. An error (an answer, or ENOBUFS after a burst) is followed by another
        // attempt only when something changes, because the answers to our own requests come here as well.
        for (;;) {
            ssize_t length = recv(kernel, ignored, sizeof ignored, 0);
            if (length < 0 && errno != EINTR && errno != ENOBUFS)
                return 1;
            struct nlmsghdr *header = (struct nlmsghdr *)ignored;
            if (length < 0 || (length >= (ssize_t)sizeof *header && header->nlmsg_type != NLMSG_ERROR))
                break;
        }
    }
}

static char answer[256 * 1024];

// Asks the daemon for its status. Returns whether it answers with 200; the answer is a string.
static int is_healthy(void) {
    int daemon = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval limit = {.tv_sec = ANSWER};
    size_t have = 0;
    memcpy(address.sun_path, SOCKET, sizeof SOCKET);
    setsockopt(daemon, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(daemon, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (!connect(daemon, (struct sockaddr *)&address, sizeof address) &&
        send(daemon, REQUEST, sizeof REQUEST - 1, MSG_NOSIGNAL) == sizeof REQUEST - 1) {
        ssize_t got;
        while (have < sizeof answer - 1 && (got = recv(daemon, answer + have, sizeof answer - 1 - have, 0)) > 0)
            have += (size_t)got;
    }
    close(daemon);
    // "HTTP/1.x 200"
    answer[have] = 0;
    return have > 12 && !memcmp(answer, "HTTP/1.", 7) && !memcmp(answer + 8, " 200", 4);
}

// Returns whether the node is running and the control server sees it. The field of the node itself is the only `Online`
// in an answer without peers.
static int is_ready(void) {
    return is_healthy() && (strstr(answer, "\"BackendState\": \"Running\"") || strstr(answer, "\"BackendState\":\"Running\"")) &&
           (strstr(answer, "\"Online\": true") || strstr(answer, "\"Online\":true"));
}

static int make_file(int folder, const char *name, const char *text) {
    int file = openat(folder, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int failed = file < 0 || write(file, text, strlen(text)) != (ssize_t)strlen(text) || fsync(file);
    close(file);
    return failed;
}

// Calls a function for every entry of a folder except `.` and `..`; stops at the first failure. It reads the folder
// without the C library, whose opendir brings an allocator of 10 kB.
static int each(int folder, int (*act)(int, const char *, int), int to) {
    char entries[1024] __attribute__((aligned(8)));
    long length;
    if (lseek(folder, 0, SEEK_SET))
        return 1;
    while ((length = syscall(SYS_getdents64, folder, entries, sizeof entries)) > 0) {
        for (char *at = entries; at < entries + length; at += ((struct dirent *)at)->d_reclen) {
            const char *name = ((struct dirent *)at)->d_name;
            if (strcmp(name, ".") && strcmp(name, "..") && act(folder, name, to))
                return 1;
        }
    }
    return length < 0;
}

static int clear(int folder, const char *name, int unused) {
    int below = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (below < 0)
        return unlinkat(folder, name, 0);
    int failed = each(below, clear, unused);
    close(below);
    return failed || unlinkat(folder, name, AT_REMOVEDIR);
}

static int copy_file(int from, int to) {
    static char bytes[4096];
    ssize_t length;
    while ((length = read(from, bytes, sizeof bytes)) > 0) {
        if (write(to, bytes, (size_t)length) != length)
            return 1;
    }
    return length < 0 || fsync(to);
}

// Copies a file or a folder. Links, sockets and devices are not state, and are skipped.
static int copy(int folder, const char *name, int to) {
    struct stat found;
    if (fstatat(folder, name, &found, AT_SYMLINK_NOFOLLOW))
        return 1;
    int is_folder = S_ISDIR(found.st_mode);
    if (!is_folder && !S_ISREG(found.st_mode))
        return 0;
    int from = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (is_folder && mkdirat(to, name, found.st_mode & 0777))
        return 1;
    int target = openat(to, name, is_folder ? O_RDONLY | O_DIRECTORY | O_CLOEXEC : O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
                        found.st_mode & 0777);
    int failed = from < 0 || target < 0 || (is_folder ? each(from, copy, target) : copy_file(from, target));
    close(from);
    close(target);
    return failed;
}

static int adopt(const char *from, const char *to, const char *id) {
    // The old container may itself have been an update: what it reported is not true of this one.
    static const char MARK[] = ".adopted", READY[] = "ready";
    char mark[128];
    int source = open(from, O_RDONLY | O_DIRECTORY | O_CLOEXEC), target = open(to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (source < 0 || target < 0) {
        report(" cannot be read: no state is copied", source < 0 ? from : to);
        return 1;
    }
    int old = openat(target, MARK, O_RDONLY | O_CLOEXEC);
    ssize_t length = read(old, mark, sizeof mark);
    close(old);
    if (length == (ssize_t)strlen(id) && !memcmp(mark, id, (size_t)length))
        return 0;
    if (each(target, clear, 0) || each(source, copy, target) ||
        (unlinkat(target, READY, 0) && errno != ENOENT) || make_file(target, MARK, id)) {
        report(" could not be copied", from);
        return 1;
    }
    report(": the state is copied", from);
    return 0;
}

int main(int count, char **arguments) {
    if (count >= 2 && !strcmp(arguments[1], "routes"))
        return keep_routes(count - 2, arguments + 2);
    if (count == 2 && !strcmp(arguments[1], "health"))
        return !is_healthy();
    if (count == 5 && !strcmp(arguments[1], "adopt"))
        return adopt(arguments[2], arguments[3], arguments[4]);
    int is_wait = count == 3 && !strcmp(arguments[1], "wait"), is_gate = count == 4 && !strcmp(arguments[1], "ready");
    int seconds = is_wait || is_gate ? number(arguments[2], 3600) : -1;
    if (seconds < 0) {
        report("usage: helper routes NETWORK… | health | wait SECONDS | adopt FROM TO ID | ready SECONDS FILE", "");
        return 2;
    }
    for (;; seconds--) {
        if (is_wait ? is_healthy() : is_ready())
            return is_gate ? make_file(AT_FDCWD, arguments[3], "ready\n") : 0;
        if (seconds <= 0)
            return 1;
        sleep(1);
    }
}
