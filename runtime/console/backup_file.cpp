#include "runtime/console/backup_file.hpp"

#include <algorithm>

#include "messages/ids.hpp"

namespace legion::console {

namespace {

constexpr std::string_view magic{"LGNBAK\r\n", 8};
constexpr std::size_t record_hash_bytes = 16;
constexpr std::size_t whole_hash_bytes = 32;

std::string bytes_of(std::uint32_t x) {
  std::string result;
  for (int i = 0; i < 4; ++i)
    result += static_cast<char>(x >> (8 * i) & 0xff);
  return result;
}

std::uint32_t number_of(std::string_view bytes) {
  std::uint32_t result = 0;
  for (int i = 3; i >= 0; --i)
    result = result << 8 | static_cast<unsigned char>(bytes[static_cast<std::size_t>(i)]);
  return result;
}

const unsigned char* raw(std::string_view x) {
  return reinterpret_cast<const unsigned char*>(x.data());
}

void add(crypto_generichash_state& to, std::string_view bytes) {
  crypto_generichash_update(&to, raw(bytes), bytes.size());
}

void begin_hash(crypto_generichash_state& x, std::size_t size = whole_hash_bytes) {
  crypto_generichash_init(&x, nullptr, 0, size);
}

std::string end_hash(const crypto_generichash_state& x, std::size_t size = whole_hash_bytes) {
  auto ended = x;
  std::string result(size, '\0');
  crypto_generichash_final(&ended, reinterpret_cast<unsigned char*>(result.data()), size);
  return result;
}

std::string hash_of_record(std::string_view letter_and_length, std::string_view message) {
  crypto_generichash_state hash;
  begin_hash(hash, record_hash_bytes);
  add(hash, letter_and_length);
  add(hash, message);
  return end_hash(hash, record_hash_bytes);
}

std::uint64_t living(const group_state& x) {
  return static_cast<std::uint64_t>(std::count_if(x.resources().begin(), x.resources().end(),
                                                  [](const auto& y) { return !y.deleting(); }));
}

std::string text_of(std::uint64_t x) {
  return std::to_string(x);
}

} // namespace

std::string backup_record(char letter, std::string_view message) {
  auto result = letter + bytes_of(static_cast<std::uint32_t>(message.size()));
  auto hash = hash_of_record(result, message);
  result += message;
  return result + hash;
}

backup_writer::backup_writer() {
  begin_hash(all_);
}

std::string backup_writer::record(char letter, const google::protobuf::Message& x) {
  auto result = backup_record(letter, x.SerializeAsString());
  legion::console::add(all_, result);
  return result;
}

std::string backup_writer::begin(const backup_file_head& x) {
  auto first = std::string{magic} + bytes_of(backup_format);
  legion::console::add(all_, first);
  return first + record('H', x);
}

std::string backup_writer::add(const group_state& x) {
  ++groups_;
  resources_ += living(x);
  return record('G', x);
}

std::string backup_writer::end(wall_ms ended_ms) {
  backup_file_end x;
  x.set_groups(groups_);
  x.set_resources(resources_);
  x.set_ended_ms(ended_ms);
  auto last = record('E', x);
  return last + end_hash(all_);
}

backup_reader::backup_reader(std::istream& from) : from_(from) {
  begin_hash(all_);
}

fault backup_reader::damaged(const std::string& what) const {
  return {errc::damaged, what + "; use another copy of it"};
}

/// Piece by piece: a length that does not check must not cost much.
result<void> backup_reader::read(std::string& to, std::size_t size) {
  constexpr std::size_t step = 256 * 1024;
  while (to.size() < size) {
    auto before = to.size();
    to.resize(std::min(size, before + step));
    if (auto done = read(to.data() + before, to.size() - before); !done)
      return done;
  }
  return {};
}

result<void> backup_reader::read(char* to, std::size_t size) {
  from_.read(to, static_cast<std::streamsize>(size));
  auto got = static_cast<std::size_t>(from_.gcount());
  at_ += got;
  if (from_.bad())
    return fault{errc::disk, "reading failed after " + text_of(at_) + " bytes"};
  if (got < size)
    return damaged("it ends after " + text_of(at_) + " bytes, in the middle: it is not whole");
  return {};
}

result<backup_file_head> backup_reader::begin() {
  std::string first(magic.size() + 4, '\0');
  if (auto done = read(first.data(), first.size()); !done) {
    auto short_of = first.starts_with(magic.substr(0, static_cast<std::size_t>(at_))) && at_ > 0;
    return short_of || done.why().code == errc::disk
               ? done.why()
               : fault{errc::invalid, "it is not a backup of Legion"};
  }
  if (!first.starts_with(magic))
    return fault{errc::invalid, first.starts_with(magic.substr(0, 6))
                                    ? "it was changed on its way, as a text file would be"
                                    : "it is not a backup of Legion"};
  auto format = number_of(std::string_view{first}.substr(magic.size()));
  if (format != backup_format)
    return fault{errc::unsupported,
                 "it is of format " + text_of(format) + ", and this legionctl reads format "
                     + text_of(backup_format) + ": use the version that wrote it, or a newer one"};
  legion::console::add(all_, first);
  auto head = record();
  if (!head)
    return head.why();
  backup_file_head result;
  if (head->letter != 'H' || !result.ParseFromString(head->message))
    return damaged("its head does not read");
  if (result.groups() > groups_per_zone)
    return damaged("its head speaks of " + text_of(result.groups()) + " keeper groups");
  expected_ = result.groups();
  return result;
}

result<backup_reader::piece> backup_reader::record() {
  auto start = at_;
  std::string head(5, '\0');
  if (auto done = read(head.data(), head.size()); !done)
    return done.why();
  auto size = number_of(std::string_view{head}.substr(1));
  if (size > max_backup_record_bytes)
    return damaged("the record at byte " + text_of(start) + " does not check");
  piece result{head[0], {}};
  if (auto done = read(result.message, size); !done)
    return done.why();
  std::string hash(record_hash_bytes, '\0');
  if (auto done = read(hash.data(), hash.size()); !done)
    return done.why();
  if (hash != hash_of_record(head, result.message))
    return damaged("the record at byte " + text_of(start) + " does not check");
  legion::console::add(all_, head);
  legion::console::add(all_, result.message);
  legion::console::add(all_, hash);
  return result;
}

result<std::optional<group_state>> backup_reader::next() {
  auto x = record();
  if (!x)
    return x.why();
  if (x->letter == 'E')
    return finish(x->message);
  group_state state;
  if (x->letter != 'G' || !state.ParseFromString(x->message))
    return damaged("a record before byte " + text_of(at_) + " does not read");
  auto bit = state.group() < groups_per_zone ? std::uint64_t{1} << state.group() : 0;
  if (bit == 0 || (seen_ & bit) != 0)
    return damaged("it holds keeper group " + text_of(state.group())
                   + (bit == 0 ? ", which no zone has" : " twice"));
  seen_ |= bit;
  ++groups_;
  resources_ += living(state);
  return std::optional{std::move(state)};
}

result<std::optional<group_state>> backup_reader::finish(const std::string& message) {
  backup_file_end end;
  if (!end.ParseFromString(message))
    return damaged("its last record does not read");
  auto expected = end_hash(all_);
  std::string hash(whole_hash_bytes, '\0');
  if (auto done = read(hash.data(), hash.size()); !done)
    return done.why();
  if (hash != expected)
    return damaged("as a whole it does not check");
  if (end.groups() != groups_ || expected_ != groups_ || end.resources() != resources_)
    return damaged("it holds " + text_of(groups_) + " keeper groups and " + text_of(resources_)
                   + " resources, and says that it has " + text_of(end.groups()) + " and "
                   + text_of(end.resources()));
  if (from_.peek() != std::istream::traits_type::eof())
    return damaged("something follows its end");
  name_ = std::move(hash);
  return std::optional<group_state>{};
}

} // namespace legion::console
