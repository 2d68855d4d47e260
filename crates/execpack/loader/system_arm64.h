// Linux on arm64: the entry, system calls, signals, caches.

#define SYS_FCNTL 25
#define SYS_FTRUNCATE 46
#define SYS_OPENAT 56
#define SYS_CLOSE 57
#define SYS_GETDENTS64 61
#define SYS_WRITE 64
#define SYS_FSTATAT 79
#define SYS_EXIT_GROUP 94
#define SYS_RT_SIGACTION 134
#define SYS_GETRLIMIT 163
#define SYS_MUNMAP 215
#define SYS_MMAP 222
#define SYS_MPROTECT 226
#define SYS_MEMFD_CREATE 279

// Words of `struct stat`: the user, with the group after it, and the size.
#define STAT_USER 6
#define STAT_SIZE 12

__asm__(".section .text.start,\"ax\"\n"
	".globl _start\n"
	"_start:\n"
	"	mov x19, sp\n"
	"	mov x0, sp\n"
	"	bl load\n"
	"	mov sp, x19\n"
	"	mov x16, x0\n"
	"	mov x0, xzr\n"
	"	mov x19, xzr\n"
	"	mov x29, xzr\n"
	"	mov x30, xzr\n"
	"	br x16\n"
	".text\n");

INLINE usize system_call(usize a, usize b, usize c, usize d, usize e, usize f, usize number) {
	register usize x8 __asm__("x8") = number, x0 __asm__("x0") = a, x1 __asm__("x1") = b, x2 __asm__("x2") = c,
		       x3 __asm__("x3") = d, x4 __asm__("x4") = e, x5 __asm__("x5") = f;
	__asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
	return x0;
}

struct action {
	void (*handler)(int);
	usize flags, restorer, mask;
};

INLINE void prepare(struct action *action, void (*handler)(int)) {
	action->handler = handler;
	action->flags = action->restorer = action->mask = 0;
}

#define SIGNAL_SET 8
#define SIGBUS 7

// Writes the data cache back to where instructions are fetched from, and forgets stale instructions.
SMALL void synchronize(usize start, usize end) {
	usize type, data, code, at;
	__asm__("mrs %0, ctr_el0" : "=r"(type));
	data = 4ul << (type >> 16 & 15);
	code = 4ul << (type & 15);
	for (at = start & ~(data - 1); at < end; at += data)
		__asm__ volatile("dc cvau, %0" : : "r"(at) : "memory");
	__asm__ volatile("dsb ish" : : : "memory");
	for (at = start & ~(code - 1); at < end; at += code)
		__asm__ volatile("ic ivau, %0" : : "r"(at) : "memory");
	__asm__ volatile("dsb ish\n\tisb" : : : "memory");
}
