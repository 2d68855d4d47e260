// Go's function table: joined from columns, as `join` in src/function_table.rs, which explains it. That has checked every offset
// when the program was packed.

enum {
	TABLES = 8,
	DATA = 8,

	SIZE = 0,
	NAME,
	ARGUMENTS,
	DEFER_RETURN,
	TABLE_COUNT,
	UNIT,
	FIRST_LINE,
	FLAGS,
	DATA_COUNT,
	OBJECT,
	LENGTH,
	REST,
	TABLE,
	FUNCTION_DATA = TABLE + TABLES,
	VALUE = FUNCTION_DATA + DATA,
	ANCHOR = VALUE + TABLES,
	STEP = ANCHOR + TABLES,
	COLUMNS = STEP + TABLES,
};

// A table by program counter: where its bytes are for now, how long it is, the sum of its steps.
struct pc_table {
	u32 at, length, total;
};

struct walk {
	const u8 *columns[COLUMNS];
	u32 quantum, shift, alignment, code_length;
	const u8 *code, *names;
	// The last name's, table's and object's number and one.
	u32 next_name, seen_names, next_table, next_object, objects, last_unit;
	u32 *name_offsets, *object_offsets;
	struct pc_table *tables;
	u8 *contents, *contents_start;
	u8 *out;
};

SMALL u32 number(const u8 **at) {
	u32 value = 0, shift = 0, byte;
	do {
		byte = *(*at)++;
		value |= (byte & 127) << shift;
		shift += 7;
	} while (byte & 128);
	return value;
}

INLINE u32 unzigzag(u32 value) {
	return value >> 1 ^ -(value & 1);
}

INLINE u32 zigzag(u32 value) {
	return value << 1 ^ (u32)((int)value >> 31);
}

SMALL u32 pass(struct walk *w, u32 column) {
	return number(&w->columns[column]);
}

SMALL u32 pass_signed(struct walk *w, u32 column) {
	return unzigzag(pass(w, column));
}

SMALL void append(struct walk *w, u32 value) {
	do {
		*w->contents++ = value < 128 ? value : value | 128;
		value >>= 7;
	} while (value);
}

SMALL void put(struct walk *w, u32 word) {
	*(unaligned32 *)w->out = word;
	w->out += 4;
}

INLINE u32 word_at(struct walk *w, u32 at) {
	// No word that is looked for is all ones.
	return at + 4 > 3 && at + 4 <= w->code_length ? *(const unaligned32 *)(w->code + at) : 0xffffffff;
}

enum { FRAME_SIZES = 0, UNSAFE_POINTS = 3, STACK_MAPS = 4, LIVE_ARGUMENTS = 6 };
enum { NO_CHANGE, BY, RETURN };

// What the instruction before a place does to the stack pointer.
SMALL u32 stack_change(struct walk *w, u32 at, u32 *by) {
#if defined(__x86_64__)
	const u8 *code = w->code + at;
	if (at < 4)
		return NO_CHANGE;
	if (code[-1] == 0xc3 && code[-2] == 0x5d)
		return RETURN;
	*by = -8;
	if (code[-1] == 0x5d && at < w->code_length && code[0] == 0xc3)
		return BY;
	*by = 8;
	if (code[-1] == 0x55 && at < w->code_length && code[0] == 0x48)
		return BY;
	if (code[-4] == 0x48 && code[-3] == 0x83 && (code[-2] == 0xec || code[-2] == 0xc4)) {
		*by = (u32)(signed char)code[-1];
		if (code[-2] == 0xc4)
			*by = -*by;
		return BY;
	}
	if (at >= 7 && code[-7] == 0x48 && code[-6] == 0x81 && (code[-5] == 0xec || code[-5] == 0xc4)) {
		*by = *(const unaligned32 *)(code - 4);
		if (code[-5] == 0xc4)
			*by = -*by;
		return BY;
	}
	return NO_CHANGE;
#else
	u32 word = word_at(w, at - 4);
#if defined(__aarch64__)
	u32 immediate = (word >> 10 & 0xfff) << (12 * (word >> 22 & 1));
	if (word == 0xd65f03c0)
		return RETURN;
	*by = -(u32)((int)(word << 11) >> 23);
	if ((word & 0xffe00fff) == 0xf8000ffe || (word & 0xffe00fff) == 0xf84007fe)
		return BY;
	*by = word & 0x40000000 ? immediate : -immediate;
	return (word & 0xbf8003ff) == 0x910003ff ? BY : NO_CHANGE;
#elif defined(__arm__)
	*by = word & 0xfff;
	return word >> 12 == 0xe49df ? RETURN : word >> 12 == 0xe52de ? BY : NO_CHANGE;
#else
	*by = -(u32)(short)word;
	return word >> 16 == 0x27bd ? BY : NO_CHANGE;
#endif
#endif
}

// Whether a table of a kind probably changes at a place: at a call, after a return, at a sequence that must not be interrupted.
SMALL int is_anchor(struct walk *w, u32 slot, u32 at) {
	u32 by, calls, returned, sequence;
#if defined(__x86_64__)
	calls = w->code[at] == 0xe8 || (w->code[at] == 0xff && at + 1 < w->code_length && (w->code[at + 1] & 0x38) == 0x10);
	returned = at >= 1 && w->code[at - 1] == 0xc3;
	sequence = 0;
#else
	u32 word = word_at(w, at);
#if defined(__aarch64__)
	calls = word >> 26 == 0x25 || (word & 0xfffffc1f) == 0xd63f0000;
	returned = word_at(w, at - 4) == 0xd65f03c0;
	sequence = (word & 0x9f00001f) == 0x9000001b;
#elif defined(__arm__)
	calls = word != 0xffffffff && ((word & 0x0f000000) == 0x0b000000 || (word & 0x0ffffff0) == 0x012fff30);
	returned = word_at(w, at - 4) >> 12 == 0xe49df;
	sequence = (word & 0x0f7ff000) == 0x051fb000;
#else
	calls = word >> 26 == 3 || (word & 0xfc1fffff) == 0x0000f809;
	returned = word_at(w, at - 8) == 0x03e00008;
	sequence = word >> 16 == 0x3c17;
#endif
#endif
	if (slot == FRAME_SIZES)
		return stack_change(w, at, &by) != NO_CHANGE;
	if (slot == UNSAFE_POINTS)
		return sequence;
	if (slot == LIVE_ARGUMENTS)
		return calls;
	return slot == STACK_MAPS && (calls || returned);
}

INLINE int is_padding_before(struct walk *w, u32 at) {
#if defined(__x86_64__)
	return at >= 1 && w->code[at - 1] == 0xcc;
#else
	return at >= 4 && word_at(w, at - 4) == 0;
#endif
}

INLINE int is_start(struct walk *w, u32 at) {
#if defined(__x86_64__)
	u32 prologue = 0x10663b49;
#elif defined(__aarch64__)
	u32 prologue = 0xf9400b90;
#elif defined(__arm__)
	u32 prologue = 0xe59a1008;
#else
	u32 prologue = 0x8fc10008;
#endif
	return word_at(w, at) == prologue || is_padding_before(w, at);
}

// The place of the next anchor but so many.
INLINE u32 anchor_after(struct walk *w, u32 slot, u32 at, u32 skip) {
	do {
		at += w->quantum;
	} while (!is_anchor(w, slot, at) || skip--);
	return at;
}

// The likely end of a function but so many.
INLINE u32 end_after(struct walk *w, u32 start, u32 skip) {
	u32 at = start, last = start + 65536, end;
	if (last > w->code_length)
		last = w->code_length;
	do {
		at += w->alignment;
		if (at >= last)
			at = w->code_length;
	} while (at < w->code_length && (!is_start(w, at) || skip--));
	end = at;
#if defined(__x86_64__)
	while (end > start && is_padding_before(w, end))
		end--;
#endif
	return end;
}

INLINE u32 name(struct walk *w) {
	u32 back = pass(w, NAME), offset = w->next_name;
	const u8 *at;
	if (back == 0)
		return offset + pass_signed(w, NAME);
	if (back > 1)
		return w->name_offsets[w->seen_names - (back - 1)];
	w->name_offsets[w->seen_names++] = offset;
	for (at = w->names + offset; *at; at++) {}
	w->next_name = at - w->names + 1;
	return offset;
}

// The number and one of what a function refers to; 0 for nothing.
SMALL u32 reference(struct walk *w, u32 column, u32 *next) {
	u32 coded = pass(w, column), referred;
	if (!coded)
		return 0;
	referred = coded & 1 ? *next + (coded >> 1) : *next - (coded >> 1);
	if (referred >= *next)
		*next = referred + 1;
	return referred + 1;
}

INLINE u32 object(struct walk *w, u32 slot) {
	u32 found = reference(w, FUNCTION_DATA + slot, &w->next_object);
	if (!found)
		return 0xffffffff;
	while (w->objects < found) {
		u32 last = w->objects ? w->object_offsets[w->objects - 1] : 0;
		w->object_offsets[w->objects++] = last + pass(w, OBJECT);
	}
	return w->object_offsets[found - 1];
}

// A reference to a table by program counter: its number and one. The first reference is followed by the table's contents, which
// go to a place for now. `expected` is the length of the function in steps; a table of frame sizes says it.
SMALL u32 table(struct walk *w, u32 slot, u32 entry, u32 expected) {
	u32 column = slot < TABLES ? slot : TABLES - 1;
	u32 found = reference(w, TABLE + column, &w->next_table), value, skip, step, first;
	u32 frame = -1, largest = 0;
	struct pc_table *table;
	if (!found)
		return 0;
	table = w->tables + found - 1;
	if (table->length)
		return found;
	table->at = w->contents - w->contents_start;
	if (slot == FRAME_SIZES) {
		skip = pass(w, LENGTH);
		expected = skip ? (end_after(w, entry, skip - 1) - entry) >> w->shift : pass(w, LENGTH);
	}
	for (first = 1;; first = 0) {
		u32 at = entry + table->total * w->quantum, left = expected - table->total, kind = NO_CHANGE, by = 0;
		value = pass(w, VALUE + column);
		if (slot == FRAME_SIZES) {
			// The difference to the size that the instruction before predicts.
			if (!first)
				kind = stack_change(w, at, &by);
			if (kind != BY)
				by = kind == RETURN ? largest - frame : 0;
			value = unzigzag(value) + by;
			frame += value;
			if ((int)frame > (int)largest)
				largest = frame;
			value = zigzag(value);
		}
		append(w, value);
		// 0 is the last step, 1 a number or a distance from the end, others the next likely place but so many.
		skip = pass(w, ANCHOR + column);
		if (!skip) {
			step = left + pass_signed(w, REST);
		} else if (skip == 1) {
			step = pass(w, STEP + column);
			step = step & 1 ? left - (step >> 1) : step >> 1;
		} else {
			step = (anchor_after(w, slot, at, skip - 2) - at) >> w->shift;
		}
		append(w, step);
		table->total += step;
		if (!skip)
			break;
	}
	append(w, 0);
	table->length = w->contents - w->contents_start - table->at;
	return found;
}

// Records with numbers of tables in the place of offsets.
INLINE u32 function(struct walk *w, u32 entry) {
	u32 tables, count, total = 0, i;
	put(w, entry);
	put(w, name(w));
	put(w, pass_signed(w, ARGUMENTS));
	put(w, pass(w, DEFER_RETURN));
	tables = pass(w, TABLE_COUNT);
	count = pass(w, DATA_COUNT);
	for (i = 0; i < 3; i++) {
		u32 found = table(w, i, entry, total);
		if (i == 0 && found)
			total = w->tables[found - 1].total;
		put(w, found);
	}
	put(w, tables);
	w->last_unit += pass_signed(w, UNIT);
	put(w, w->last_unit);
	put(w, pass_signed(w, FIRST_LINE));
	put(w, pass(w, FLAGS) | count << 24);
	for (i = 0; i < tables; i++)
		put(w, table(w, 3 + i, entry, total));
	for (i = 0; i < count; i++)
		put(w, object(w, i < DATA ? i : DATA - 1));
	total = (total * w->quantum + w->alignment - 1) & -w->alignment;
	return total + pass_signed(w, SIZE);
}

SMALL void join_functions(const u8 *packed, const struct stream *compressed, u8 *part, struct scratch scratch) {
	struct walk walk, *w = &walk;
	u32 parameters[11], column_lengths[COLUMNS], count, i, j, entry = 0, offset, buckets, small, first = 0, at, most_tables;
	const u8 *streams[3], *stream;
	u8 *index;
	memset(w, 0, sizeof *w);
	// Columns, in three streams; the data of functions is a fourth.
	for (i = 0; i < 3; i++, compressed++) {
		u8 *to = take(&scratch, compressed->length);
		decompress(packed, compressed, to, scratch);
		streams[i] = to;
		packed += compressed->packed;
	}
	stream = streams[0];
	for (i = 0; i < 11; i++)
		parameters[i] = number(&stream);
	for (i = 0; i < COLUMNS; i++)
		column_lengths[i] = number(&stream);
	for (i = 0, j = 0; i < COLUMNS; i++) {
		if (i == VALUE || i == ANCHOR)
			stream = streams[++j];
		w->columns[i] = stream;
		stream += column_lengths[i];
	}
	count = parameters[0];
	// Quanta are 1, 2 and 4: a division without an instruction for it.
	w->quantum = parameters[1];
	w->shift = w->quantum >> 1;
	w->alignment = parameters[2];
	w->names = (const u8 *)(usize)parameters[5];
	w->code = (const u8 *)(usize)parameters[6];
	w->code_length = parameters[7];
	most_tables = parameters[8];
	w->next_name = 1;
	w->name_offsets = take(&scratch, count * sizeof(u32));
	w->object_offsets = take(&scratch, parameters[9] * sizeof(u32));
	w->tables = take(&scratch, most_tables * sizeof(struct pc_table));
	w->contents = w->contents_start = take(&scratch, parameters[3]);
	memset(w->tables, 0, most_tables * sizeof(struct pc_table));

	// The index of functions and their records.
	index = part + parameters[3];
	w->out = index + count * 8 + 4;
	for (i = 0; i < count; i++) {
		// Records are aligned to 4 or 8 bytes, counted from the index.
		if ((w->out - index) & (parameters[10] - 1))
			put(w, 0);
		((unaligned32 *)index)[2 * i] = entry;
		((unaligned32 *)index)[2 * i + 1] = w->out - index;
		entry += function(w, entry);
	}
	((unaligned32 *)index)[2 * count] = entry;
	decompress(packed, compressed, w->out, scratch);
	w->out += compressed->length;

	// The tables by program counter, in the order of their numbers.
	*part = 0;
	for (i = 0, offset = 1; i < most_tables; i++) {
		struct pc_table *table = w->tables + i;
		memcpy(part + offset, w->contents_start + table->at, table->length);
		table->at = offset;
		offset += table->length;
	}

	// Offsets in the place of numbers: fields 4 to 6, and those after the 11 fixed ones.
	for (i = 0; i < count; i++) {
		unaligned32 *record = (unaligned32 *)(index + ((unaligned32 *)index)[2 * i + 1]);
		for (j = 4; j < 11 + record[7]; j = j == 6 ? 11 : j + 1) {
			if (record[j])
				record[j] = w->tables[record[j] - 1].at;
		}
	}

	// The runtime's buckets.
	if (!parameters[4])
		return;
	buckets = (entry + 255) / 256;
	for (small = 0, i = 0; small < ((buckets + 15) & ~15u); small++) {
		while (small < buckets && i + 1 < count && ((unaligned32 *)index)[2 * i + 2] <= small * 256)
			i++;
		if (small % 16 == 0) {
			first = i;
			put(w, first);
		}
		at = small < buckets ? i - first : 0;
		*w->out++ = at;
	}
}
