// One decoded copy of a program for all its processes: anonymous memory with a descriptor, sealed against every change.
// docs/decisions/0012-shared-copy.md has the reasons for each condition.

#define AT_FDCWD (-100ul)
#define O_CLOEXEC 0x80000ul

#define F_DUPFD_CLOEXEC 1030
#define F_ADD_SEALS 1033
#define F_GET_SEALS 1034
// F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_GROW and F_SEAL_WRITE. The kernel adds F_SEAL_EXEC to memory with MFD_NOEXEC_SEAL.
#define SEALS 15
#define SEAL_EXEC 32

#define MFD_CLOEXEC 1
#define MFD_ALLOW_SEALING 2
#define MFD_NOEXEC_SEAL 8

#define RLIMIT_FSIZE 1

// The descriptor of the copy has the first free number from here on. Lower ones are left to programs that expect the lowest free
// number, and the kernel's table of a process has room for 64 without more memory.
#define FIRST_DESCRIPTOR 63

// BLAKE2s, or BLAKE2b with words of 64 bits: RFC 7693, with a digest of 32 bytes.
#if __SIZEOF_POINTER__ == 8
#define ROUNDS 12
#define ROTATIONS 32, 24, 16, 63
static const usize initial[8] = {
	0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
	0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179,
};
#else
#define ROUNDS 10
#define ROTATIONS 16, 12, 8, 7
static const usize initial[8] = {
	0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
};
#endif

// The order of the block's words in each round, two in a byte, the first in the low half.
static const u8 order[80] = {
	0x10, 0x32, 0x54, 0x76, 0x98, 0xba, 0xdc, 0xfe, //
	0xae, 0x84, 0xf9, 0x6d, 0xc1, 0x20, 0x7b, 0x35, //
	0x8b, 0x0c, 0x25, 0xdf, 0xea, 0x63, 0x17, 0x49, //
	0x97, 0x13, 0xcd, 0xeb, 0x62, 0xa5, 0x04, 0x8f, //
	0x09, 0x75, 0x42, 0xfa, 0x1e, 0xcb, 0x86, 0xd3, //
	0xc2, 0xa6, 0xb0, 0x38, 0xd4, 0x57, 0xef, 0x91, //
	0x5c, 0xf1, 0xde, 0xa4, 0x70, 0x36, 0x29, 0xb8, //
	0xbd, 0xe7, 0x1c, 0x93, 0x05, 0x4f, 0x68, 0xa2, //
	0xf6, 0x9e, 0x3b, 0x80, 0x2c, 0x7d, 0x41, 0x5a, //
	0x2a, 0x48, 0x67, 0x51, 0xbf, 0xe9, 0xc3, 0x0d, //
};

INLINE usize rotate(usize value, u32 by) {
	return value >> by | value << (8 * sizeof value - by);
}

INLINE void mix(usize *a, usize *b, usize *c, usize *d, usize x, usize y, u32 r1, u32 r2, u32 r3, u32 r4) {
	*a += *b + x;
	*d = rotate(*d ^ *a, r1);
	*c += *d;
	*b = rotate(*b ^ *c, r2);
	*a += *b + y;
	*d = rotate(*d ^ *a, r3);
	*c += *d;
	*b = rotate(*b ^ *c, r4);
}
#define MIX(a, b, c, d, x, y, ...) mix(a, b, c, d, x, y, __VA_ARGS__)

// The digest of whole blocks, of which there is at least one.
FAST void digest(usize *state, const usize *block, usize length) {
	usize hashed = 0, v[16];
	u32 i, round;
	memcpy(state, initial, sizeof initial);
	state[0] ^= 0x01010020;
	do {
		hashed += 16 * sizeof *block;
		memcpy(v, state, sizeof initial);
		memcpy(v + 8, initial, sizeof initial);
		v[12] ^= hashed;
		v[14] ^= -(usize)(hashed == length);
		for (round = 0; round < ROUNDS; round++) {
			const u8 *pair = order + round % 10 * 8;
			for (i = 0; i < 8; i++) {
				u32 skew = i >> 2;
				MIX(v + (i & 3), v + 4 + ((i + skew) & 3), v + 8 + ((i + 2 * skew) & 3),
					v + 12 + ((i + 3 * skew) & 3), block[pair[i] & 15], block[pair[i] >> 4], ROTATIONS);
			}
		}
		for (i = 0; i < 8; i++)
			state[i] ^= v[i] ^ v[i + 8];
		block += 16;
	} while (hashed != length);
}

SMALL int is_sealed(usize file) {
	return (system(file, F_GET_SEALS, 0, SYS_FCNTL) & ~(usize)SEAL_EXEC) == SEALS;
}

SMALL usize open_at(usize folder, const char *name) {
	return system(folder, (usize)name, O_NONBLOCK | O_CLOEXEC, SYS_OPENAT);
}

// Whether a name leads to the same file in the folders of two processes, or in both to none: a kernel has no files for kinds of
// namespaces that it was built without.
SMALL int is_same(usize self, usize other, const char *name) {
	u32 stats[2][40], i;
	usize error = system(self, (usize)name, (usize)stats[0], SYS_FSTATAT);
	if (system(other, (usize)name, (usize)stats[1], SYS_FSTATAT) != error)
		return 0;
	// Device and inode, and more that is the same for one file.
	for (i = 0; !error && i < 8; i++)
		if (stats[0][i] != stats[1][i])
			return 0;
	return 1;
}

// Whether a file has the length of the copy and belongs to this process's user and group, real and effective.
SMALL int is_candidate(const struct table *table, const usize *values, usize folder, const char *name) {
	u32 stat[40], *user = stat + STAT_USER;
	return !system(folder, (usize)name, (usize)stat, SYS_FSTATAT) && stat[STAT_SIZE] == table->copy_length &&
	       user[0] == values[AT_UID] && user[0] == values[AT_EUID] && user[1] == values[AT_GID] && user[1] == values[AT_EGID];
}

// Numbers among the names in a folder.
struct numbers {
	usize folder;
	u32 at, length;
	u8 entries[1024] __attribute__((aligned(8)));
};

SMALL void list(struct numbers *numbers, usize folder, const char *name) {
	numbers->folder = open_at(folder, name);
	numbers->at = numbers->length = 0;
}

SMALL const char *next(struct numbers *numbers) {
	for (;;) {
		u8 *entry = numbers->entries + numbers->at;
		if (numbers->at >= numbers->length) {
			numbers->length = system(numbers->folder, (usize)numbers->entries, sizeof numbers->entries, SYS_GETDENTS64);
			numbers->at = 0;
			if ((int)numbers->length <= 0)
				return 0;
			continue;
		}
		numbers->at += *(u16 *)(entry + 16);
		if (entry[19] - '0' <= 9u)
			return (const char *)entry + 19;
	}
}

// A mapping of the whole copy, or an error: also if the kernel forbids to execute code in it.
SMALL usize map_copy(const struct table *table, usize file) {
	return mmap(0, table->copy_length, PROT_READ | PROT_EXEC, MAP_PRIVATE, file, 0);
}

// Whether a sealed file is this program's copy. Nobody can change it after this.
INLINE int is_copy(const struct table *table, usize file) {
	usize state[8], copy = map_copy(table, file);
	u32 i, different = 0;
	if (copy > -4096ul)
		return 0;
	digest(state, (const usize *)copy, table->copy_length);
	system(copy, table->copy_length, 0, SYS_MUNMAP);
	for (i = 0; i < 8; i++)
		different |= ((const u32 *)state)[i] ^ table->digest[i];
	return !different;
}

// The descriptor of another process's copy, or an error. An error may be used as a descriptor: the kernel refuses it.
INLINE usize find(const struct table *table, const usize *values) {
	struct numbers processes, files;
	const char *name;
	usize self, process, file, found = -1ul;
	u32 left = 1;
	list(&processes, AT_FDCWD, "/proc");
	self = open_at(processes.folder, "self");
	while (left && (name = next(&processes))) {
		process = open_at(processes.folder, name);
		if (is_same(self, process, "exe") && is_same(self, process, "ns/user") && is_same(self, process, "ns/pid") &&
			is_same(self, process, "ns/mnt")) {
			list(&files, process, "fd");
			while (left && (name = next(&files))) {
				if (!is_candidate(table, values, files.folder, name))
					continue;
				file = open_at(files.folder, name);
				// Again, because the number can have become another file; the first sealed file decides.
				if (is_candidate(table, values, file, "") && is_sealed(file)) {
					left = 0;
					if (is_copy(table, file)) {
						found = file;
						break;
					}
				}
				close(file);
			}
			close(files.folder);
		}
		close(process);
	}
	close(self);
	close(processes.folder);
	return found;
}

// The descriptor of memory for a copy, or an error.
INLINE usize create(const struct table *table) {
	usize limit[2], result, file;
	// A longer file than this limit would end the process.
	if (system(RLIMIT_FSIZE, (usize)limit, 0, SYS_GETRLIMIT) || limit[0] < table->copy_length)
		return -1ul;
	file = system((usize)"execpack", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL, 0, SYS_MEMFD_CREATE);
	if (file > -4096ul)
		file = system((usize)"execpack", MFD_CLOEXEC | MFD_ALLOW_SEALING, 0, SYS_MEMFD_CREATE);
	result = system(file, table->copy_length, 0, SYS_FTRUNCATE);
	if (!result)
		result = map_copy(table, file);
	if (result > -4096ul) {
		close(file);
		return result;
	}
	system(result, table->copy_length, 0, SYS_MUNMAP);
	return file;
}

// Leaves a descriptor of the copy to other processes, if nobody can change it.
INLINE void publish(usize file) {
	system(file, F_ADD_SEALS, SEALS, SYS_FCNTL);
	if (is_sealed(file))
		system(file, F_DUPFD_CLOEXEC, FIRST_DESCRIPTOR, SYS_FCNTL);
	close(file);
}
