// Machine code: absolute targets made relative again, as `decode` in src/code.rs, which explains it.

#if defined(__x86_64__)

INLINE int is_relative(u32 form) {
	return (form & 0xc7) == 5;
}


// The second bytes of instructions of two bytes with such an operand.
static const u8 second_bytes[] = {
	0x10, 0x11, 0x28, 0x29, 0x2e, 0x54, 0x57, 0x58, 0x59, 0x5c, 0x5e, 0x6f, 0x7f, 0xb1, 0xb6, 0xb7, 0xbe, 0xc1,
};

// The bytes before the operand of an instruction; 0 if it has none that was changed.
INLINE u32 operand(const u8 *code) {
	u32 prefix = (code[0] & 0xf8) == 0x48, opcode = code[prefix], form = code[prefix + 1], i;
	switch (opcode) {
	case 0x89: case 0x8b: case 0x8d:
		return is_relative(form) ? prefix + 2 : 0;
	case 0x03: case 0x2b: case 0x39: case 0x3b: case 0x63:
		return prefix && is_relative(form) ? prefix + 2 : 0;
	case 0x80: case 0x81: case 0x83: case 0xc6: case 0xc7:
		return form == 0x05 || form == 0x3d ? prefix + 2 : 0;
	case 0x0f:
		for (i = 0; i < sizeof second_bytes && is_relative(code[prefix + 2]); i++)
			if (form == second_bytes[i])
				return prefix + 3;
	}
	return 0;
}

// The bytes that instructions with such an operand begin with, a bit for each: most bytes are passed over at once.
static const u32 first_bytes[8] = {
	0x00008000, 0x00000000, 0x0000ff00, 0x00000000,
	0x00002a0b, 0x00000000, 0x000000c0, 0x00000100,
};

FAST void restore_code(u8 *code, u32 length) {
	u32 at = 0;
	while (at + 8 <= length) {
		u32 skip = 1, window = length;
		if (!(first_bytes[code[at] >> 5] >> (code[at] & 31) & 1)) {
			at++;
			continue;
		}
		if (code[at] != 0xe8) {
			skip = operand(code + at);
			window = 1u << 26;
			if (!skip) {
				at++;
				continue;
			}
		}
		at += skip;
		unaligned32 *place = (unaligned32 *)(code + at);
		u32 target = __builtin_bswap32(*place);
		at += 4;
		if (target < window)
			target -= at;
		else if (target >= -at)
			target += window;
		*place = target;
	}
}

#else

FAST void restore_code(u8 *code, u32 length) {
	u32 *place = (u32 *)code, *end = place + length / 4;
	for (; place < end; place++) {
		u32 word = __builtin_bswap32(*place), at = (u32)(usize)place;
		(void)at;
#if defined(__aarch64__)
		if (word >> 26 == 0x25) {
			word = 0x94000000 | ((word - (at >> 2)) & 0x3ffffff);
		} else if ((word & 0x9f000000) == 0x90000000) {
			u32 page = (word - (at >> 12)) & 0x1fffff;
			word = 0x90000000 | (page & 3) << 29 | page >> 2 << 5 | (word >> 19 & 0x1c) | (word >> 29 & 3);
		}
#elif defined(__arm__)
		if ((word & 0x0f000000) == 0x0b000000 && word >> 28 != 15)
			word = (word & 0xff000000) | ((word - (at >> 2)) & 0xffffff);
#endif
		*place = word;
	}
}

#endif
