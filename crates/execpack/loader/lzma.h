// The decoder of raw LZMA streams. Everything decoded so far is the dictionary. The hash of the file has shown that a stream is what
// was packed, and the packer has decoded it.

struct range {
	const u8 *in;
	u32 range, code;
};

INLINE void normalize(struct range *r) {
	if (r->range < 1u << 24) {
		r->range <<= 8;
		r->code = r->code << 8 | *r->in++;
	}
}

INLINE u32 bit(struct range *r, u16 *probability) {
	u32 p = *probability, bound;
	normalize(r);
	bound = (r->range >> 11) * p;
	if (r->code < bound) {
		r->range = bound;
		*probability = p + ((2048 - p) >> 5);
		return 0;
	}
	r->range -= bound;
	r->code -= bound;
	*probability = p - (p >> 5);
	return 1;
}

// How many of the next bits are 1 before a 0, at most `limit`; each has its own probability.
INLINE u32 ones(struct range *r, u16 *probability, u32 step, u32 limit) {
	u32 count = 0;
	while (count < limit && bit(r, probability + count * step))
		count++;
	return count;
}

// A bit without a branch, for bits that are hard to foresee: literals, lengths and distances.
INLINE u32 even_bit(struct range *r, u16 *probability) {
	u32 p = *probability, bound, zero, rest;
	normalize(r);
	bound = (r->range >> 11) * p;
	// All ones for a 0.
	zero = -(u32)(r->code < bound);
	rest = r->range - bound;
	r->range = rest + ((bound - rest) & zero);
	r->code -= bound & ~zero;
	*probability = p - ((int)(p + (zero & (31u - 2048))) >> 5);
	return zero + 1;
}

// A number of so many bits, the highest first; the caller takes the leading 1 off.
INLINE u32 tree(struct range *r, u16 *probabilities, u32 limit) {
	u32 symbol = 1;
	do
		symbol = symbol << 1 | even_bit(r, probabilities + symbol);
	while (symbol < limit);
	return symbol - limit;
}

// So many bits, the lowest first.
INLINE u32 reverse_tree(struct range *r, u16 *probabilities, u32 bits) {
	u32 symbol = 1, result = 0, i;
	for (i = 0; i < bits; i++) {
		u32 b = even_bit(r, probabilities + symbol);
		symbol = symbol << 1 | b;
		result |= b << i;
	}
	return result;
}

enum {
	STATES = 12,
	POSITIONS = 16,
	LENGTH_CHOICE = 0,
	LENGTH_LOW = 2,
	LENGTH_MIDDLE = LENGTH_LOW + POSITIONS * 8,
	LENGTH_HIGH = LENGTH_MIDDLE + POSITIONS * 8,
	LENGTH_SIZE = LENGTH_HIGH + 256,

	IS_MATCH = 0,
	IS_REP = IS_MATCH + STATES * POSITIONS,
	IS_REP_0 = IS_REP + STATES,
	IS_REP_1 = IS_REP_0 + STATES,
	IS_REP_2 = IS_REP_1 + STATES,
	IS_REP_0_LONG = IS_REP_2 + STATES,
	SLOT = IS_REP_0_LONG + STATES * POSITIONS,
	SPECIAL = SLOT + 4 * 64,
	ALIGN = SPECIAL + 128,
	MATCH_LENGTH = ALIGN + 16,
	REP_LENGTH = MATCH_LENGTH + LENGTH_SIZE,
	LITERAL = REP_LENGTH + LENGTH_SIZE,
};

INLINE u32 match_length(struct range *r, u16 *p, u32 position) {
	// Short, middle, or long.
	u32 kind = ones(r, p + LENGTH_CHOICE, 1, 2);
	p += LENGTH_LOW + kind * (LENGTH_MIDDLE - LENGTH_LOW) + (kind < 2 ? position * 8 : 0);
	return 2 + kind * 8 + tree(r, p, kind < 2 ? 8 : 256);
}

INLINE u32 match_distance(struct range *r, u16 *p, u32 length) {
	u32 slot = tree(r, p + SLOT + (length < 6 ? length - 2 : 3) * 64, 64), bits, distance;
	u16 *probabilities = p + ALIGN;
	if (slot < 4)
		return slot;
	bits = (slot >> 1) - 1;
	distance = (2 | (slot & 1)) << bits;
	if (slot < 14) {
		probabilities = p + SPECIAL + distance - slot;
	} else {
		for (; bits > 4; bits--) {
			normalize(r);
			r->range >>= 1;
			u32 one = -(u32)(r->code >= r->range);
			r->code -= r->range & one;
			distance += (one & 1) << (bits - 1);
		}
	}
	return distance + reverse_tree(r, probabilities, bits);
}

// How many probabilities a stream needs.
INLINE u32 probabilities_of(u32 lc, u32 lp) {
	return LITERAL + (0x300u << (lc + lp));
}

FAST void decompress(const u8 *in, const struct stream *stream, u8 *out, struct scratch scratch) {
	u32 model = stream->model, length = stream->length;
	u32 pb = model / 45, lp = model % 45 / 9, lc = model % 9, state = 0, at = 0, i;
	u32 last[4] = {0};
	u16 *p = take(&scratch, probabilities_of(lc, lp) * sizeof(u16));
	struct range local = {in + 5, 0xffffffff, 0}, *r = &local;
	if (!length)
		return;
	for (i = 0; i < probabilities_of(lc, lp); i++)
		p[i] = 1024;
	for (i = 1; i < 5; i++)
		r->code = r->code << 8 | in[i];
	while (at < length) {
		u32 position = at & ((1u << pb) - 1), count;
		if (!bit(r, p + IS_MATCH + state * POSITIONS + position)) {
			u32 context = ((at & ((1u << lp) - 1)) << lc) + ((at ? out[at - 1] : 0) >> (8 - lc)), symbol = 1;
			u16 *literal = p + LITERAL + 0x300 * context;
			if (state >= 7) {
				u32 matched = out[at - last[0] - 1], offset = 0x100;
				do {
					matched <<= 1;
					u32 expected = matched & offset;
					u32 b = even_bit(r, literal + offset + expected + symbol);
					symbol = symbol << 1 | b;
					offset &= matched ^ (b - 1);
				} while (symbol < 0x100);
			} else {
				do
					symbol = symbol << 1 | even_bit(r, literal + symbol);
				while (symbol < 0x100);
			}
			out[at++] = symbol;
			state = state < 4 ? 0 : state < 10 ? state - 3 : state - 6;
			continue;
		}
		// A match with a new distance, or with one of the last four; one byte of the last needs no length.
		u16 *lengths = p + MATCH_LENGTH;
		u32 next = state < 7 ? 7 : 10, moved = 3, is_new = !bit(r, p + IS_REP + state), distance;
		if (!is_new) {
			lengths = p + REP_LENGTH;
			next = state < 7 ? 8 : 11;
			moved = ones(r, p + IS_REP_0 + state, STATES, 3);
			if (!moved && !bit(r, p + IS_REP_0_LONG + state * POSITIONS + position)) {
				lengths = 0;
				next = state < 7 ? 9 : 11;
			}
		}
		state = next;
		count = lengths ? match_length(r, lengths, position) : 1;
		distance = is_new ? match_distance(r, p, count) : last[moved];
		for (; moved; moved--)
			last[moved] = last[moved - 1];
		last[0] = distance;
		do {
			out[at] = out[at - distance - 1];
			at++;
		} while (--count);
	}
}
