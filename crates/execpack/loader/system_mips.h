// Linux on 32-bit little-endian MIPS (o32): the entry, system calls, signals, caches.

#define SYS_WRITE 4004
#define SYS_CLOSE 4006
#define SYS_FCNTL 4055
#define SYS_GETRLIMIT 4076
#define SYS_MMAP 4090
#define SYS_MUNMAP 4091
#define SYS_FTRUNCATE 4093
#define SYS_MPROTECT 4125
#define SYS_CACHEFLUSH 4147
#define SYS_RT_SIGACTION 4194
#define SYS_GETDENTS64 4219
#define SYS_EXIT_GROUP 4246
#define SYS_OPENAT 4288
#define SYS_FSTATAT 4293
#define SYS_MEMFD_CREATE 4354

// Words of `struct stat`: the user, with the group after it, and the size.
#define STAT_USER 8
#define STAT_SIZE 14

// The called function may use 16 bytes above its stack pointer for its arguments.
__asm__(".section .text.start,\"ax\"\n"
	".globl _start\n"
	".set push\n"
	".set noreorder\n"
	"_start:\n"
	"	move $16, $29\n"
	"	move $4, $29\n"
	"	li $8, -8\n"
	"	and $29, $29, $8\n"
	"	addiu $29, $29, -16\n"
	"	jal load\n"
	"	nop\n"
	"	move $29, $16\n"
	"	move $25, $2\n"
	"	move $2, $0\n"
	"	move $4, $0\n"
	"	move $16, $0\n"
	"	move $30, $0\n"
	"	jr $25\n"
	"	move $31, $0\n"
	".set pop\n"
	".text\n");

// The fifth and sixth arguments are on the stack; register 7 reports whether register 2 has an error.
INLINE usize system_call(usize a, usize b, usize c, usize d, usize e, usize f, usize number) {
	register usize v0 __asm__("$2") = number, a0 __asm__("$4") = a, a1 __asm__("$5") = b, a2 __asm__("$6") = c,
		       a3 __asm__("$7") = d, fifth __asm__("$8") = e, sixth __asm__("$9") = f;
	__asm__ volatile("addiu $29, $29, -32\n\t"
			 "sw %2, 16($29)\n\t"
			 "sw %3, 20($29)\n\t"
			 "syscall\n\t"
			 "addiu $29, $29, 32"
		: "+r"(v0), "+r"(a3), "+r"(fifth), "+r"(sixth)
		: "r"(a0), "r"(a1), "r"(a2)
		: "$1", "$3", "$10", "$11", "$12", "$13", "$14", "$15", "$24", "$25", "hi", "lo", "memory");
	return a3 ? -v0 : v0;
}

struct action {
	usize flags;
	void (*handler)(int);
	usize mask[4];
};

INLINE void prepare(struct action *action, void (*handler)(int)) {
	memset(action, 0, sizeof *action);
	action->handler = handler;
}

#define SIGNAL_SET 16
#define SIGBUS 10
#define MAP_ANONYMOUS 0x800
#define O_NONBLOCK 0x80

// Both caches; the kernel does it.
INLINE void synchronize(usize start, usize end) {
	system(start, end - start, 3, SYS_CACHEFLUSH);
}
