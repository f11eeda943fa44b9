#include "actors/bridge/wire.hpp"

#include <algorithm>

namespace legion::bridge {
namespace {

// Protobuf's wire format: a tag is (field << 3 | type); types are 0 varint, 1 eight bytes, 2 length
// and bytes, 5 four bytes. https://protobuf.dev/programming-guides/encoding/
enum wire_type : std::uint32_t { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

/// Writes into room that was measured before: what is appended piece by piece is checked and
/// terminated once for each piece.
class writer {
public:
  /// Makes `out` longer by `size` bytes, all of which are to be written.
  writer(std::string& out, std::size_t size) {
    auto at = out.size();
    out.resize(at + size);
    to_ = out.data() + at;
  }

  void number(std::uint32_t field, std::uint64_t x) {
    if (x == 0)
      return;
    put(field << 3 | varint);
    put(x);
  }

  void text(std::uint32_t field, std::string_view x) {
    if (x.empty())
      return;
    begin(field, x.size());
    to_ = std::copy(x.begin(), x.end(), to_);
  }

  /// Of a message of `size` bytes, which come next.
  void begin(std::uint32_t field, std::size_t size) {
    put(field << 3 | bytes);
    put(size);
  }

private:
  void put(std::uint64_t x) {
    for (; x >= 0x80; x >>= 7)
      *to_++ = static_cast<char>(x | 0x80);
    *to_++ = static_cast<char>(x);
  }

  char* to_;
};

std::size_t varint_size(std::uint64_t x) {
  std::size_t n = 1;
  for (; x >= 0x80; x >>= 7)
    ++n;
  return n;
}

std::size_t number_size(std::uint64_t x) {
  return x == 0 ? 0 : 1 + varint_size(x);
}

std::size_t bytes_size(std::string_view x) {
  return x.empty() ? 0 : 1 + varint_size(x.size()) + x.size();
}

/// Walks over the fields of one serialised message.
class fields {
public:
  explicit fields(std::string_view rest) : rest_(rest) {}

  /// The next field, or false at the end and on damage; `damaged` tells which.
  bool next() {
    if (rest_.empty())
      return false;
    std::uint64_t tag = 0;
    if (!read(tag) || tag >> 3 == 0 || tag >> 32 != 0)
      return fail();
    field = static_cast<std::uint32_t>(tag >> 3);
    type = static_cast<std::uint32_t>(tag & 7);
    switch (type) {
      case varint:
        return read(number) || fail();
      case fixed64:
        return skip(8) || fail();
      case fixed32:
        return skip(4) || fail();
      case bytes: {
        std::uint64_t length = 0;
        if (!read(length) || length > rest_.size())
          return fail();
        text = rest_.substr(0, length);
        rest_.remove_prefix(length);
        return true;
      }
      default:
        return fail(); // groups are not of proto3
    }
  }

  bool damaged = false;
  std::uint32_t field = 0;
  std::uint32_t type = 0;
  std::uint64_t number = 0;
  std::string_view text;

private:
  bool fail() {
    damaged = true;
    return false;
  }

  bool skip(std::size_t n) {
    if (rest_.size() < n)
      return false;
    rest_.remove_prefix(n);
    return true;
  }

  bool read(std::uint64_t& x) {
    if (!rest_.empty() && static_cast<unsigned char>(rest_[0]) < 0x80) { // most are
      x = static_cast<unsigned char>(rest_[0]);
      rest_.remove_prefix(1);
      return true;
    }
    x = 0;
    for (std::size_t i = 0; i < rest_.size() && i < 10; ++i) {
      auto byte = static_cast<unsigned char>(rest_[i]);
      x |= static_cast<std::uint64_t>(byte & 0x7f) << (7 * i);
      if (byte < 0x80) {
        rest_.remove_prefix(i + 1);
        return true;
      }
    }
    return false;
  }

  std::string_view rest_;
};

bool read_envelope(std::string_view from, envelope_view& x) {
  fields f{from};
  while (f.next()) {
    auto is = [&](std::uint32_t field, wire_type type) {
      return f.field == field && f.type == type;
    };
    if (is(1, varint))
      x.sequence = f.number;
    else if (is(2, bytes))
      x.to = f.text;
    else if (is(3, varint))
      x.kind = static_cast<std::uint32_t>(f.number);
    else if (is(4, bytes))
      x.body = f.text;
    else if (is(5, varint))
      x.request = f.number;
    else if (is(6, varint))
      x.reply_to = f.number;
    else if (is(7, varint))
      x.failure = failure_IsValid(static_cast<int>(f.number)) ? static_cast<failure>(f.number)
                                                              : failure_refused;
    else if (is(8, bytes))
      x.detail = f.text;
    else if (is(9, varint))
      x.to_start = f.number;
    else if (is(10, varint))
      x.deadline_ms = static_cast<std::uint32_t>(f.number);
    else if (is(11, varint))
      x.code = static_cast<std::uint32_t>(f.number);
  }
  return !f.damaged;
}

} // namespace

std::size_t size_bound(const envelope_view& x) {
  return 64 + x.to.size() + x.body.size() + x.detail.size();
}

void append_header(std::string& out, std::string_view cluster, std::uint64_t start,
                   std::uint32_t life) {
  writer to{out, number_size(wire_version) + bytes_size(cluster) + number_size(start)
                     + number_size(life)};
  to.number(1, wire_version);
  to.text(2, cluster);
  to.number(3, start);
  to.number(5, life);
}

void append_envelope(std::string& out, const envelope_view& x) {
  auto failure = static_cast<std::uint64_t>(x.failure);
  auto size = number_size(x.sequence) + bytes_size(x.to) + number_size(x.kind) + bytes_size(x.body)
              + number_size(x.request) + number_size(x.reply_to) + number_size(failure)
              + bytes_size(x.detail) + number_size(x.to_start) + number_size(x.deadline_ms)
              + number_size(x.code);
  writer to{out, 1 + varint_size(size) + size};
  to.begin(4, size);
  to.number(1, x.sequence);
  to.text(2, x.to);
  to.number(3, x.kind);
  to.text(4, x.body);
  to.number(5, x.request);
  to.number(6, x.reply_to);
  to.number(7, failure);
  to.text(8, x.detail);
  to.number(9, x.to_start);
  to.number(10, x.deadline_ms);
  to.number(11, x.code);
}

std::optional<frame_view> read_frame(std::string_view from) {
  frame_view result;
  fields f{from};
  while (f.next()) {
    if (f.field == 1 && f.type == varint)
      result.version = static_cast<std::uint32_t>(f.number);
    else if (f.field == 2 && f.type == bytes)
      result.cluster = f.text;
    else if (f.field == 3 && f.type == varint)
      result.start = f.number;
    else if (f.field == 5 && f.type == varint)
      result.life = static_cast<std::uint32_t>(f.number);
    else if (f.field == 4 && f.type == bytes) {
      envelope_view x;
      if (result.messages.size() >= most_messages || !read_envelope(f.text, x))
        return std::nullopt;
      result.messages.push_back(x);
    }
  }
  if (f.damaged)
    return std::nullopt;
  return result;
}

} // namespace legion::bridge
