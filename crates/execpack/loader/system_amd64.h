// Linux on amd64: the entry, system calls, signals.

#define SYS_WRITE 1
#define SYS_CLOSE 3
#define SYS_MMAP 9
#define SYS_MPROTECT 10
#define SYS_MUNMAP 11
#define SYS_RT_SIGACTION 13
#define SYS_FCNTL 72
#define SYS_FTRUNCATE 77
#define SYS_GETRLIMIT 97
#define SYS_GETDENTS64 217
#define SYS_EXIT_GROUP 231
#define SYS_OPENAT 257
#define SYS_FSTATAT 262
#define SYS_MEMFD_CREATE 319

// Words of `struct stat`: the user, with the group after it, and the size.
#define STAT_USER 7
#define STAT_SIZE 12

// The kernel enters with the arguments at the stack pointer and zero in the other registers; so does this for the program.
__asm__(".section .text.start,\"ax\"\n"
	".globl _start\n"
	"_start:\n"
	"	mov %rsp, %rbx\n"
	"	mov %rsp, %rdi\n"
	"	and $-16, %rsp\n"
	"	call load\n"
	"	mov %rbx, %rsp\n"
	"	push %rax\n"
	"	xor %eax, %eax\n"
	"	xor %ebx, %ebx\n"
	"	xor %ecx, %ecx\n"
	"	xor %edx, %edx\n"
	"	xor %esi, %esi\n"
	"	xor %edi, %edi\n"
	"	xor %ebp, %ebp\n"
	"	xor %r8d, %r8d\n"
	"	xor %r9d, %r9d\n"
	"	xor %r10d, %r10d\n"
	"	xor %r11d, %r11d\n"
	"	ret\n"
	".text\n");

INLINE usize system_call(usize a, usize b, usize c, usize d, usize e, usize f, usize number) {
	register usize r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
	usize result;
	__asm__ volatile("syscall"
		: "=a"(result)
		: "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
		: "rcx", "r11", "memory");
	return result;
}

// The kernel refuses to deliver a signal without a restorer; a handler that does not return never calls it.
#define SA_RESTORER 0x04000000ul

struct action {
	void (*handler)(int);
	usize flags;
	void (*restorer)(int);
	usize mask;
};

INLINE void prepare(struct action *action, void (*handler)(int)) {
	action->handler = handler;
	action->flags = SA_RESTORER;
	action->restorer = handler;
	action->mask = 0;
}

#define SIGNAL_SET 8
#define SIGBUS 7

// The processor keeps instructions and data in step by itself.
INLINE void synchronize(usize start, usize end) {
	(void)start;
	(void)end;
}
