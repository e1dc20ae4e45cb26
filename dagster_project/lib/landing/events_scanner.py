"""The scanner of plain lines: one compiled pass over the bytes of a block, which holds whole lines and ends with a line break.

A line is plain when nothing about it is in doubt: the five fields that every event has, once each and no other; names and keys
without escapes; a moment between 1970 and 2200; properties that are one flat object with distinct keys, whose numbers are
written as every engine writes them again. Of such a line the scanner tells where its values are, as views of Arrow, and what
the catalogue reads of its properties. Every other line is copied to what is left, for the careful reading (events_parse.sql).

The rules are those of events_parse.sql and its macros, or narrower: what is taken here would have been taken there, alike.
"""

# numba infers the types, of which mypy knows nothing
# mypy: ignore-errors

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

MAX_PLAIN_BYTES = 1000
# what must follow the bytes that are scanned, and every text that is compared with them
PADDING = 8
_MAX_KEYS = 32
# of kinds of values
_TEXT, _NUMBER, _WORD, _NULL = 1, 2, 3, 4
_NAMES = np.frombuffer(b"transaction_idexternal_subscription_idcodetimestampproperties        ", dtype=np.uint8)
# by the length of a name: which field it may be
_FIELD_OF = np.full(32, -1, dtype=np.int64)
_NAME_AT = np.array([0, 14, 38, 42, 51])
for _field, _length in enumerate((14, 24, 4, 9, 10)):
    _FIELD_OF[_length] = _field
_WORDS = np.frombuffer(b"truefalsenulloperation_typeremove        ", dtype=np.uint8)
_ONE, _ONES, _HIGH = np.uint64(1), np.uint64(0x0101010101010101), np.uint64(0x8080808080808080)
_QUOTES, _ESCAPES, _BLANKS = _ONES * np.uint64(0x22), _ONES * np.uint64(0x5C), _ONES * np.uint64(0x20)
_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_SIX_BYTES, _SIX_ZEROS = np.uint64(0xFFFFFFFFFFFF), np.uint64(0x303030303030)
_PLACES = np.uint64(0x0001020304050607)
_DAYS_BEFORE = np.array([0, 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334])
_DAYS_OF = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
_SECOND = 1_000_000
_END = 7_258_118_400 * _SECOND  # 2200

_Bytes = types.Array(types.uint8, 1, "C", readonly=True)
_Buffer = types.uint8[::1]
_Int64s = types.int64[::1]
_Hashes = types.Array(types.int64, 1, "C", readonly=True)
_Table = types.int64[:, ::1]

# the columns of what is read of a code, see code_table
CODE_AT, CODE_LENGTH, LAYOUT_ID, MEASURED_AT, MEASURED_LENGTH, IS_COUNTED, FACETS_AT, FACETS_COUNT, IS_LEFT = range(9)
# the views of a row, and its marks
SUBSCRIPTION, TRANSACTION, CODE, PROPERTIES, ITEM, FACETS = range(6)
HAS_LAYOUT, HAS_QUANTITY, HAS_ITEM, HAS_FACETS, IS_REMOVE = range(5)


# what is called by compiled functions alone needs no way in for others, and counts no references to arrays, which its caller
# holds: counting them took half of the time
_inner = njit(nogil=True, no_cpython_wrapper=True, no_cfunc_wrapper=True, _nrt=False)


@intrinsic
def _word(typing_context, data, at):
    """The eight bytes at a place, the first one lowest. The bytes that are read must be there: see PADDING."""

    def generate(context, builder, signature, arguments):
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        place = builder.gep(array.data, [arguments[1]])
        loaded = builder.load(builder.bitcast(place, ir.IntType(64).as_pointer()))
        loaded.align = 1
        return loaded

    return types.uint64(data, at), generate


@_inner
def _after_blanks(data, at):
    while data[at] == 32 or data[at] == 9:
        at += 1
    return at


@_inner
def _text_end(data, at):
    """Where a text ends that begins at a place: at a quote, if it is plain; at an escape or a control character else."""
    while True:
        word = _word(data, at)
        quotes, escapes = word ^ _QUOTES, word ^ _ESCAPES
        # the lowest bit that is set is that of the first such byte; those above it may be wrong
        found = (((quotes - _ONES) & ~quotes) | ((escapes - _ONES) & ~escapes) | ((word - _BLANKS) & ~word)) & _HIGH
        if found:
            lowest = (found & (~found + _ONE)) >> np.uint64(7)
            return at + np.int64((lowest * _PLACES) >> np.uint64(56))
        at += 8


@_inner
def _is_utf8(data, at, end):
    signs = np.uint64(0)
    place = at
    while place < end:
        signs |= _head(data, place, end - place)
        place += 8
    if not signs & _HIGH:
        return True
    while at < end:
        first = data[at]
        if first < 0x80:
            at += 1
            continue
        lowest, highest = 0x80, 0xBF
        if 0xC2 <= first <= 0xDF:
            more = 1
        elif 0xE0 <= first <= 0xEF:
            more = 2
            if first == 0xE0:
                lowest = 0xA0
            elif first == 0xED:
                highest = 0x9F
        elif 0xF0 <= first <= 0xF4:
            more = 3
            if first == 0xF0:
                lowest = 0x90
            elif first == 0xF4:
                highest = 0x8F
        else:
            return False
        # the block ends with a line break, which is no continuation
        if not lowest <= data[at + 1] <= highest:
            return False
        for place in range(2, more + 1):
            if not 0x80 <= data[at + place] <= 0xBF:
                return False
        at += more + 1
    return True


@_inner
def _digit_pair(data, at):
    """The number of two digits, or -1."""
    tens, ones = np.int64(data[at]) - 48, np.int64(data[at + 1]) - 48
    if 0 <= tens <= 9 and 0 <= ones <= 9:
        return tens * 10 + ones
    return -1


@_inner
def _civil(data, at, end):
    """Microseconds of a moment like 2024-03-05T12:00:00.5+02:00, or -1. What is finer is cut."""
    if (
        end - at < 20
        or data[at + 4] != 45
        or data[at + 7] != 45
        or data[at + 10] != 84
        or data[at + 13] != 58
        or data[at + 16] != 58
    ):
        return -1
    century, rest = _digit_pair(data, at), _digit_pair(data, at + 2)
    month, day = _digit_pair(data, at + 5), _digit_pair(data, at + 8)
    hour, minute, second = _digit_pair(data, at + 11), _digit_pair(data, at + 14), _digit_pair(data, at + 17)
    if century < 0 or rest < 0 or not 1 <= month <= 12 or day < 1:
        return -1
    if not (0 <= hour <= 23 and 0 <= minute <= 59 and 0 <= second <= 59):
        return -1
    year = century * 100 + rest
    if not 1970 <= year <= 2199:
        return -1
    is_leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    if day > _DAYS_OF[month] + (1 if is_leap and month == 2 else 0):
        return -1
    before = year - 1
    days = before * 365 + before // 4 - before // 100 + before // 400 - 719_162
    days += _DAYS_BEFORE[month] + day - 1 + (1 if is_leap and month > 2 else 0)
    at += 19
    fraction = 0
    if data[at] == 46:
        at += 1
        first = at
        scale = 100_000
        while 48 <= data[at] <= 57:
            fraction += scale * (np.int64(data[at]) - 48)
            scale //= 10
            at += 1
        if at == first:
            return -1
    offset = 0
    if data[at] == 43 or data[at] == 45:
        if end - at != 6 or data[at + 3] != 58:
            return -1
        hours, minutes = _digit_pair(data, at + 1), _digit_pair(data, at + 4)
        # no zone is farther from UTC; the careful reading has more patience
        if not (0 <= hours <= 14 and 0 <= minutes <= 59):
            return -1
        offset = hours * 3600 + minutes * 60
        if data[at] == 45:
            offset = -offset
    elif data[at] != 90 or end - at != 1:
        return -1
    moment = (days * 86_400 + hour * 3600 + minute * 60 + second - offset) * _SECOND + fraction
    return moment if 0 <= moment < _END else -1


@_inner
def _epoch(data, at):
    """Microseconds of a number of seconds with up to 10 digits before and 6 after the point, and its end; -1 for others."""
    first = at
    moment = np.int64(0)
    while 48 <= data[at] <= 57:
        if at - first == 10:
            return -1, at
        moment = moment * 10 + data[at] - 48
        at += 1
    if at == first or (data[first] == 48 and at - first > 1):
        return -1, at
    moment *= _SECOND
    if data[at] == 46:
        at += 1
        first = at
        scale = 100_000
        while 48 <= data[at] <= 57:
            if at - first == 6:
                return -1, at
            moment += scale * (np.int64(data[at]) - 48)
            scale //= 10
            at += 1
        if at == first:
            return -1, at
    return (moment if moment < _END else -1), at


@_inner
def _number_end(data, at):
    """The end of a number, or -1, and how many zeros at its end nobody writes again.

    The rule of landing_has_short_numbers: any engine gives it back as it was written, but for these zeros.
    """
    is_negative = data[at] == 45
    if is_negative:
        at += 1
    first = at
    while 48 <= data[at] <= 57:
        at += 1
    whole = at - first
    if whole == 0 or (data[first] == 48 and whole > 1) or whole > 12:
        return -1, 0
    if data[at] != 46:
        # -0 is no number of ours
        return (-1 if is_negative and data[first] == 48 else at), 0
    at += 1
    point = at
    zeros = 0
    while 48 <= data[at] <= 57:
        zeros = zeros + 1 if data[at] == 48 else 0
        at += 1
    digits = at - point
    if digits == 0 or digits > 8 or whole > 7:
        return -1, 0
    if zeros == digits:
        return (-1 if is_negative and data[first] == 48 else at), zeros - 1
    # engines write a smaller one with an exponent
    if data[first] == 48 and _word(data, point) & _SIX_BYTES == _SIX_ZEROS:
        return -1, 0
    return at, zeros


@_inner
def _is_long_quantity(data, at, end):
    """Whether a text is a number with more than 15 digits before or 12 after the point, which the judge may refuse."""
    if data[at] == 45:
        at += 1
    first = at
    while 48 <= data[at] <= 57:
        at += 1
    whole = at - first
    digits = 0
    if data[at] == 46:
        first = at + 1
        at = first
        while 48 <= data[at] <= 57:
            at += 1
        digits = at - first
    return at == end and (whole > 15 or digits > 12)


@_inner
def _head(data, at, length):
    """The first bytes at a place, at most eight, with zeros after them."""
    word = _word(data, at)
    if length < 8:
        word &= (_ONE << np.uint64(8 * length)) - _ONE
    return word


@_inner
def _is_same(one, at, other, place, length):
    while length > 0:
        if _head(one, at, length) != _head(other, place, length):
            return False
        at += 8
        place += 8
        length -= 8
    return True


@_inner
def _fill_quantity(data, at, end, quantities, row):
    """Write a text as decimal(27, 12) in 128 bits; whether it is one, by the rule of landing_quantity."""
    is_negative = at < end and data[at] == 45
    if is_negative:
        at += 1
    first = at
    whole = np.uint64(0)
    digits = 0
    while at < end and 48 <= data[at] <= 57:
        if whole != 0 or data[at] != 48:
            digits += 1
            if digits > 15:
                return False
            whole = whole * np.uint64(10) + np.uint64(data[at] - 48)
        at += 1
    if at == first:
        return False
    fraction = np.uint64(0)
    if at < end and data[at] == 46:
        at += 1
        first = at
        scale = np.uint64(100_000_000_000)
        while at < end and 48 <= data[at] <= 57:
            if at - first >= 12 and data[at] != 48:
                return False
            fraction += scale * np.uint64(data[at] - 48)
            scale //= np.uint64(10)
            at += 1
        if at == first:
            return False
    if at != end:
        return False
    low32, bits = np.uint64(0xFFFFFFFF), np.uint64(32)
    unit = np.uint64(1_000_000_000_000)
    high, low = whole >> bits, whole & low32
    middle = high * (unit & low32) + low * (unit >> bits)
    start = low * (unit & low32)
    lower = start + (middle << bits)
    upper = high * (unit >> bits) + (middle >> bits) + np.uint64(lower < start)
    total = lower + fraction
    upper += np.uint64(total < lower)
    if is_negative:
        total = ~total + np.uint64(1)
        upper = ~upper + np.uint64(total == 0)
    quantities[row, 0] = total
    quantities[row, 1] = upper
    return True


@_inner
def _fill_view(views, kind, row, data, at, length, buffer):
    """Write a view of Arrow: the length, then up to twelve bytes of text, else its first four, its buffer and its place."""
    if length > 12:
        views[kind, row, 0] = np.uint64(length) | _word(data, at) << np.uint64(32)
        views[kind, row, 1] = np.uint64(buffer) | np.uint64(at) << np.uint64(32)
        return
    views[kind, row, 0] = np.uint64(length) | _head(data, at, min(length, 4)) << np.uint64(32)
    views[kind, row, 1] = _head(data, at + 4, length - 4) if length > 4 else np.uint64(0)


@_inner
def _slot_of(data, at, length, slots_count):
    """Where a text is looked up first; see slot_of."""
    hashed = np.uint64(0)
    while length > 0:
        hashed = (hashed ^ _head(data, at, length)) * _FACTOR
        hashed ^= hashed >> np.uint64(29)
        at += 8
        length -= 8
    return np.int64(hashed & np.uint64(slots_count - 1))


def slot_of(text: bytes, slots_count: int) -> int:
    """Where a text is looked up first among a number of slots that is a power of two."""
    hashed = 0
    for at in range(0, len(text), 8):
        hashed = (hashed ^ int.from_bytes(text[at : at + 8], "little")) * int(_FACTOR) % (1 << 64)
        hashed ^= hashed >> 29
    return hashed & (slots_count - 1)


@_inner
def _layout_of(data, at, length, texts, layouts, slots):
    """The place of a code among the layouts, or -1."""
    slot = _slot_of(data, at, length, len(slots))
    while slots[slot] >= 0:
        place = slots[slot]
        if layouts[place, CODE_LENGTH] == length and _is_same(data, at, texts, layouts[place, CODE_AT], length):
            return place
        slot = (slot + 1) & (len(slots) - 1)
    return -1


@_inner
def _pair_of(data, pairs, count, texts, at, length):
    """The place of a key among the pairs of an object, or -1."""
    for place in range(count):
        if pairs[place, 1] == length and _is_same(data, pairs[place, 0], texts, at, length):
            return place
    return -1


@_inner
def _pairs_of(data, at, pairs):
    """The pairs of the flat object at a place: its end or -1, their number, and 1 where it is written otherwise than we write it.

    A pair is the place and length of its key and of its value, without quotes, and the kind of the value.
    """
    if data[at] != 123:
        return -1, 0, 0
    first = at + 1
    at = _after_blanks(data, first)
    is_other = at > first
    count = 0
    if data[at] == 125:
        return at + 1, 0, np.int64(is_other)
    while True:
        if data[at] != 34 or count == len(pairs):
            return -1, 0, 0
        at += 1
        key = at
        at = _text_end(data, at)
        if data[at] != 34:
            return -1, 0, 0
        length = at - key
        if _pair_of(data, pairs, count, data, key, length) >= 0:
            return -1, 0, 0
        first = at + 1
        at = _after_blanks(data, first)
        if data[at] != 58:
            return -1, 0, 0
        colon = at + 1
        value = _after_blanks(data, colon)
        is_other |= at > first or value > colon
        at = value
        byte = data[at]
        if byte == 34:
            kind = _TEXT
            at += 1
            value = at
            at = _text_end(data, at)
            if data[at] != 34 or (at - value > 12 and _is_long_quantity(data, value, at)):
                return -1, 0, 0
            end = at
            at += 1
        elif byte == 45 or 48 <= byte <= 57:
            kind = _NUMBER
            at, zeros = _number_end(data, at)
            if at < 0:
                return -1, 0, 0
            end = at - zeros
            is_other |= zeros > 0
        else:
            kind = _WORD
            if byte == 116 and _is_same(data, at, _WORDS, 0, 4):
                at += 4
            elif byte == 102 and _is_same(data, at, _WORDS, 4, 5):
                at += 5
            elif byte == 110 and _is_same(data, at, _WORDS, 9, 4):
                at += 4
                kind = _NULL
            else:
                return -1, 0, 0
            end = at
        pairs[count, 0] = key
        pairs[count, 1] = length
        pairs[count, 2] = value
        pairs[count, 3] = end - value
        pairs[count, 4] = kind
        count += 1
        first = at
        at = _after_blanks(data, at)
        is_other |= at > first
        if data[at] == 125:
            return at + 1, count, np.int64(is_other)
        if data[at] != 44:
            return -1, 0, 0
        first = at + 1
        at = _after_blanks(data, first)
        is_other |= at > first


@_inner
def _copy(data, at, length, text, end):
    """Append a span to a text; its new end."""
    for step in range(length):
        text[end + step] = data[at + step]
    return end + length


@_inner
def _write_value(data, pairs, place, text, end):
    """Append a value as JSON; the new end of the text."""
    is_text = pairs[place, 4] == _TEXT
    return _copy(data, pairs[place, 2] - is_text, pairs[place, 3] + 2 * is_text, text, end)


@_inner
def _write_object(data, pairs, count, text, end):
    """Append an object without blanks; the new end of the text."""
    text[end] = 123
    end += 1
    for place in range(count):
        if place:
            text[end] = 44
            end += 1
        end = _copy(data, pairs[place, 0] - 1, pairs[place, 1] + 2, text, end)
        text[end] = 58
        end = _write_value(data, pairs, place, text, end + 1)
    text[end] = 125
    return end + 1


@_inner
def _write_facets(data, pairs, count, texts, facets, first, facets_count, text, end):
    """Append the array of what the facets' keys have, each as a text or null; the new end of the text."""
    text[end] = 91
    end += 1
    for facet in range(first, first + facets_count):
        if facet > first:
            text[end] = 44
            end += 1
        place = _pair_of(data, pairs, count, texts, facets[facet, 0], facets[facet, 1])
        if place < 0 or pairs[place, 4] == _NULL:
            end = _copy(_WORDS, 9, 4, text, end)
            continue
        text[end] = 34
        end = _copy(data, pairs[place, 2], pairs[place, 3], text, end + 1)
        text[end] = 34
        end += 1
    text[end] = 93
    return end + 1


@njit(
    types.UniTuple(types.int64, 6)(
        _Bytes,
        types.int64,
        types.int64,
        types.int64,
        types.int64,
        types.int64,
        _Bytes,
        _Table,
        _Table,
        _Int64s,
        _Int64s,
        _Int64s,
        _Int64s,
        types.uint64[:, :, ::1],
        types.uint64[:, ::1],
        types.uint8[:, ::1],
        _Buffer,
        _Buffer,
        _Int64s,
    ),
    cache=True,
    nogil=True,
)
def scan(
    data, at, stop, number, rows, text_end,
    texts, layouts, facets, slots,
    numbers, moments, layout_ids, views, quantities, marks, text, left, left_numbers,
):  # fmt: skip
    """Scan the lines between two places, of which the first has a number, and add their rows to those that are there.

    It ends early when there is no room for a further row. Returns the place and number of the line after the last one, the
    number of rows, the end of the text that was written for them, the number of lines that are left, and their bytes.
    """
    pairs = np.empty((_MAX_KEYS, 5), dtype=np.int64)
    spans = np.empty((5, 2), dtype=np.int64)
    left_end = left_count = 0
    while at < stop and rows < len(numbers):
        start = at
        is_plain = False
        at = _after_blanks(data, at)
        moment = np.int64(-1)
        seen = count = is_other = 0
        if data[at] == 123:
            at += 1
            while True:
                at = _after_blanks(data, at)
                if data[at] != 34:
                    break
                at += 1
                name = at
                at = _text_end(data, at)
                length = at - name
                if data[at] != 34 or length > 31:
                    break
                field = _FIELD_OF[length]
                if field < 0 or seen >> field & 1 or not _is_same(data, name, _NAMES, _NAME_AT[field], length):
                    break
                seen |= 1 << field
                at = _after_blanks(data, at + 1)
                if data[at] != 58:
                    break
                at = _after_blanks(data, at + 1)
                spans[field, 0] = at
                if field == 4:
                    end, count, is_other = _pairs_of(data, at, pairs)
                    if end < 0:
                        break
                    spans[field, 1] = end - at
                    at = end
                elif data[at] == 34:
                    at += 1
                    end = _text_end(data, at)
                    if data[end] != 34 or end == at:
                        break
                    spans[field, 0] = at
                    spans[field, 1] = end - at
                    if field == 3:
                        moment = _civil(data, at, end)
                    at = end + 1
                elif field == 3:
                    moment, at = _epoch(data, at)
                else:
                    break
                if field == 3 and moment < 0:
                    break
                at = _after_blanks(data, at)
                if data[at] == 44:
                    at += 1
                    continue
                if data[at] == 125 and seen == 31:
                    at = _after_blanks(data, at + 1)
                    if data[at] == 13:
                        at += 1
                    is_plain = data[at] == 10
                break
        while data[at] != 10:
            at += 1
        at += 1
        length = at - start
        if is_plain:
            is_plain = length <= MAX_PLAIN_BYTES and _is_utf8(data, start, at)
        layout = -1
        if is_plain:
            layout = _layout_of(data, spans[2, 0], spans[2, 1], texts, layouts, slots)
            if layout >= 0:
                # what is written of a line is at most its values, thrice, and some signs
                most = 3 * length + 8 * (layouts[layout, FACETS_COUNT] + 1)
                is_plain = layouts[layout, IS_LEFT] == 0 and text_end + most <= len(text)
            else:
                is_plain = text_end + length <= len(text)
        if not is_plain:
            if length > 2 or (length == 2 and data[start] != 13):
                left_end = _copy(data, start, length, left, left_end)
                left_numbers[left_count] = number
                left_count += 1
            number += 1
            continue
        numbers[rows] = number
        moments[rows] = moment
        _fill_view(views, TRANSACTION, rows, data, spans[0, 0], spans[0, 1], 0)
        _fill_view(views, SUBSCRIPTION, rows, data, spans[1, 0], spans[1, 1], 0)
        _fill_view(views, CODE, rows, data, spans[2, 0], spans[2, 1], 0)
        if is_other:
            first = text_end
            text_end = _write_object(data, pairs, count, text, text_end)
            _fill_view(views, PROPERTIES, rows, text, first, text_end - first, 1)
        else:
            _fill_view(views, PROPERTIES, rows, data, spans[4, 0], spans[4, 1], 0)
        for mark in range(5):
            marks[mark, rows] = 0
        if layout >= 0:
            marks[HAS_LAYOUT, rows] = 1
            layout_ids[rows] = layouts[layout, LAYOUT_ID]
            place = np.int64(-1)
            if layouts[layout, MEASURED_LENGTH] >= 0:
                place = _pair_of(
                    data, pairs, count, texts, layouts[layout, MEASURED_AT], layouts[layout, MEASURED_LENGTH]
                )
                if place >= 0 and pairs[place, 4] == _NULL:
                    place = -1
            if place >= 0:
                end = pairs[place, 2] + pairs[place, 3]
                marks[HAS_QUANTITY, rows] = _fill_quantity(data, pairs[place, 2], end, quantities, rows)
            if layouts[layout, IS_COUNTED]:
                marks[HAS_ITEM, rows] = 1
                first = text_end
                if place >= 0:
                    text[text_end] = 61
                    text_end = _copy(data, pairs[place, 2], pairs[place, 3], text, text_end + 1)
                _fill_view(views, ITEM, rows, text, first, text_end - first, 1)
                place = _pair_of(data, pairs, count, _WORDS, 13, 14)
                marks[IS_REMOVE, rows] = (
                    place >= 0 and pairs[place, 3] == 6 and _is_same(data, pairs[place, 2], _WORDS, 27, 6)
                )
            if layouts[layout, FACETS_COUNT]:
                marks[HAS_FACETS, rows] = 1
                first = text_end
                text_end = _write_facets(
                    data,
                    pairs,
                    count,
                    texts,
                    facets,
                    layouts[layout, FACETS_AT],
                    layouts[layout, FACETS_COUNT],
                    text,
                    text_end,
                )
                _fill_view(views, FACETS, rows, text, first, text_end - first, 1)
        rows += 1
        number += 1
    return at, number, rows, text_end, left_count, left_end


@njit(types.void(_Hashes, types.uint64[::1], types.uint8[::1]), cache=True, nogil=True)
def note_hashes(hashes, words, seen):
    """Note hashes in a filter of a power of two of words; mark those that may be there already, and are when they are."""
    bits = np.uint64(6)
    for row in range(len(hashes)):
        mixed = np.uint64(hashes[row]) * _FACTOR
        place = (mixed >> np.uint64(24)) & np.uint64(len(words) - 1)
        signs = (
            _ONE << (mixed & np.uint64(63))
            | _ONE << (mixed >> bits & np.uint64(63))
            | _ONE << (mixed >> np.uint64(12) & np.uint64(63))
            | _ONE << (mixed >> np.uint64(18) & np.uint64(63))
        )
        seen[row] = words[place] & signs == signs
        words[place] |= signs
