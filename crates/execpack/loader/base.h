// Types, memory and the end of the loader.

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long usize;

// Words that may lie anywhere: the compiler reads and writes them in pieces if the processor needs that.
typedef u32 __attribute__((aligned(1), may_alias)) unaligned32;

#define INLINE static inline __attribute__((always_inline))
// Everything is compiled for size but what most of the time goes into.
#define SYSTEM static __attribute__((noinline, minsize))
#if defined(__arm__)
// Thumb, which every ARMv5TE has. System calls stay in ARM code: old kernels can be built to accept them only there.
#define SMALL SYSTEM __attribute__((target("thumb-mode")))
#else
#define SMALL SYSTEM
#endif
#define FAST static __attribute__((noinline))

// Ends the process with a message on standard error and status 126, the shells' "found, but cannot be executed".
__attribute__((noreturn)) SMALL void fail(const char *message);

// A system call with up to three arguments. The number comes last, so that the others are in their registers already.
SYSTEM usize system(usize a, usize b, usize c, usize number);

// The compiler calls these for loops and structures.
__attribute__((used)) void *memset(void *to, int value, usize length) {
	u8 *out = to;
	while (length--) {
		*out++ = value;
		__asm__ volatile("");
	}
	return to;
}

__attribute__((used)) void *memcpy(void *to, const void *from, usize length) {
	u8 *out = to;
	const u8 *in = from;
	while (length--) {
		*out++ = *in++;
		__asm__ volatile("");
	}
	return to;
}

// Memory for the time of decoding: one mapping, taken from the front. The packer has computed how much is taken.
struct scratch {
	u8 *next;
};

SMALL void *take(struct scratch *scratch, usize length) {
	u8 *start = scratch->next;
	scratch->next = start + ((length + 7) & ~7ul);
	return start;
}
