// Linux on 32-bit ARM (EABI), v5 and later: the entry, system calls, signals, caches.

#define SYS_WRITE 4
#define SYS_CLOSE 6
#define SYS_FCNTL 55
#define SYS_MUNMAP 91
#define SYS_FTRUNCATE 93
#define SYS_MPROTECT 125
#define SYS_RT_SIGACTION 174
#define SYS_GETRLIMIT 191
#define SYS_MMAP 192 // mmap2, whose offset counts pages of 4096 bytes
#define SYS_GETDENTS64 217
#define SYS_EXIT_GROUP 248
#define SYS_OPENAT 322
#define SYS_FSTATAT 327
#define SYS_MEMFD_CREATE 385
#define SYS_CACHEFLUSH 0x0f0002

// Words of `struct stat`: the user, with the group after it, and the size.
#define STAT_USER 6
#define STAT_SIZE 12

__asm__(".section .text.start,\"ax\"\n"
	".globl _start\n"
	"_start:\n"
	"	mov r4, sp\n"
	"	mov r0, sp\n"
	"	bic sp, sp, #7\n"
	"	bl load\n"
	"	mov sp, r4\n"
	"	mov r12, r0\n"
	"	mov r0, #0\n"
	"	mov r4, #0\n"
	"	mov r11, #0\n"
	"	mov lr, #0\n"
	"	bx r12\n"
	".text\n");

INLINE usize system_call(usize a, usize b, usize c, usize d, usize e, usize f, usize number) {
	register usize r7 __asm__("r7") = number, r0 __asm__("r0") = a, r1 __asm__("r1") = b, r2 __asm__("r2") = c,
		       r3 __asm__("r3") = d, r4 __asm__("r4") = e, r5 __asm__("r5") = f;
	__asm__ volatile("svc #0" : "+r"(r0) : "r"(r7), "r"(r1), "r"(r2), "r"(r3), "r"(r4), "r"(r5) : "memory");
	return r0;
}

struct action {
	void (*handler)(int);
	usize flags, restorer, mask[2];
};

INLINE void prepare(struct action *action, void (*handler)(int)) {
	action->handler = handler;
	action->flags = action->restorer = action->mask[0] = action->mask[1] = 0;
}

#define SIGNAL_SET 8
#define SIGBUS 7
#define PAGES_OF_OFFSET 12

// A user process may not maintain the caches of ARM itself; the kernel does it.
INLINE void synchronize(usize start, usize end) {
	system(start, end, 0, SYS_CACHEFLUSH);
}
