// How a stranger's text is kept from hurting us. yaml-cpp descends once per level, so the handler
// below throws at level 64, long before the stack is in danger; text is checked to be UTF-8 without
// control characters first, because yaml-cpp takes 0x04 for the end of the file and guesses UTF-16
// and UTF-32 from zero bytes. Aliases share their node, and each adds its node's whole weight to a
// bounded sum, so that whoever walks the tree later (the check, the JSON copy) does bounded work
// too.
#include "messages/manifest/yaml_tree.hpp"

#include <algorithm>
#include <istream>
#include <set>
#include <streambuf>

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include "messages/manifest/characters.hpp"
#include "messages/manifest/line_index.hpp"
#include "messages/manifest/scalar.hpp"

namespace legion::manifest {

const node* node::get(std::string_view key) const {
  for (const auto& e : entries)
    if (e.key->text == key)
      return e.value->kind == node_kind::null ? nullptr : e.value;
  return nullptr;
}

namespace {

/// Reads a string in place.
struct text_buffer : std::streambuf {
  explicit text_buffer(std::string_view text) {
    auto* begin = const_cast<char*>(text.data());
    setg(begin, begin, begin + text.size());
  }
};

constexpr std::string_view core = "tag:yaml.org,2002:";

class tree_builder : public YAML::EventHandler {
public:
  tree_builder(yaml_tree& into, const line_index& lines) : into_(into), lines_(lines) {}

  void OnDocumentStart(const YAML::Mark&) override {
    anchors_.clear();
    stack_.clear();
    root_ = nullptr;
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    auto& x = make(mark, node_kind::null);
    remember(anchor, x);
    add(x);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& text) override {
    auto& x = make(mark, node_kind::string);
    last_scalar_ = {lines_.offset(mark.line, mark.column), x.at};
    x.text = text;
    mend_escapes(x.text);
    x.weight = 1 + text.size();
    resolve(x, tag);
    remember(anchor, x);
    add(x);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    auto at = lines_.at(mark.line, mark.column);
    const node* x = anchor < anchors_.size() ? anchors_[anchor] : nullptr;
    if (!x)
      throw broken{at, path(), "an alias to nothing", "an alias to an anchor above it"};
    for (const auto& f : stack_)
      if (f.what == x)
        throw broken{at, path(), "an alias inside its own anchor",
                     "an alias after what it stands for"};
    if (stack_.size() + x->height > deepest)
      throw broken{at, path(), "an alias that leads 64 levels deep or deeper", "at most 63 levels"};
    expanded_ += x->weight;
    if (expanded_ > largest_expansion)
      throw broken{at, path(), "aliases that add more than 1 MiB to this file", "at most 1 MiB"};
    add(*x);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(mark, node_kind::list, tag, "seq", anchor);
  }
  void OnSequenceEnd() override { close(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(mark, node_kind::map, tag, "map", anchor);
  }
  void OnMapEnd() override {
    check_keys(*stack_.back().what);
    merge(*stack_.back().what);
    close();
  }

  const node* root() const { return root_; }

  /// yaml-cpp takes the end of the file for a closing quote. Only the last scalar can end so.
  void check_last_quote(std::string_view text) const {
    auto [i, at] = last_scalar_;
    while (i < text.size() && (text[i] == '!' || text[i] == '&')) // its tag and anchor
      i = text.find_first_not_of(" \t\r\n",
                                 std::min(text.find_first_of(" \t\r\n", i), text.size()));
    if (i >= text.size() || (text[i] != '"' && text[i] != '\''))
      return;
    char quote = text[i];
    for (++i; i < text.size(); ++i) {
      bool doubled = quote == '\'' && text.substr(i, 2) == "''";
      if (doubled || (quote == '"' && text[i] == '\\'))
        ++i;
      else if (text[i] == quote)
        return;
    }
    throw broken{at, "", "a quote that is never closed", std::string("a closing ") + quote};
  }

  /// Where the innermost list or map that is still open began.
  std::string still_open() const {
    if (stack_.empty())
      return "";
    const auto& at = stack_.back().what->at;
    return " for the one opened in line " + std::to_string(at.line) + ", column "
           + std::to_string(at.column);
  }

private:
  struct frame {
    node* what;
    const node* key = nullptr; // of a map, while its value is awaited
  };

  node& make(const YAML::Mark& mark, node_kind kind) {
    auto& x = into_.nodes.emplace_back();
    x.kind = kind;
    x.at = lines_.at(mark.line, mark.column);
    return x;
  }

  void remember(YAML::anchor_t anchor, const node& x) {
    if (anchor == 0)
      return;
    if (anchors_.size() <= anchor)
      anchors_.resize(anchor + 1, nullptr);
    anchors_[anchor] = &x;
  }

  void resolve(node& x, const std::string& tag) {
    x.quoted = tag == "!";
    if (tag == "?" || tag.empty())
      x.kind = resolve_plain(x.text);
    else if (tag == "!" || tag == std::string(core) + "str")
      x.kind = node_kind::string;
    else
      resolve_tagged(x, tag);
    if (x.text.find('\0') != std::string::npos)
      throw broken{x.at, path(), "a zero character in a string", "text without control characters"};
  }

  void resolve_tagged(node& x, const std::string& tag) {
    auto is = resolve_plain(x.text);
    for (auto [name, kind] : {std::pair{"int", node_kind::integer},
                              {"bool", node_kind::boolean},
                              {"float", node_kind::real},
                              {"null", node_kind::null}})
      if (tag == std::string(core) + name) {
        bool fits = is == kind || (kind == node_kind::real && is == node_kind::integer);
        if (!fits)
          throw broken{x.at, path(), shown(x) + " tagged !!" + name, "a value of that type"};
        x.kind = is;
        return;
      }
    throw broken{x.at, path(), "the tag " + tag,
                 "no tag, or !!str, !!int, !!float, !!bool, !!null"};
  }

  void open(const YAML::Mark& mark, node_kind kind, const std::string& tag, const char* name,
            YAML::anchor_t anchor) {
    auto at = lines_.at(mark.line, mark.column);
    if (stack_.size() >= deepest)
      throw broken{at, "", "nesting 64 levels deep", "at most 63 levels"};
    if (!tag.empty() && tag != "?" && tag != "!" && tag != std::string(core) + name)
      throw broken{at, path(), "the tag " + tag, "no tag"};
    auto& x = make(mark, kind);
    remember(anchor, x);
    stack_.push_back({&x, nullptr});
  }

  void close() {
    auto& x = *stack_.back().what;
    stack_.pop_back();
    add(x);
  }

  void add(const node& x) {
    if (stack_.empty()) {
      root_ = &x;
      return;
    }
    auto& f = stack_.back();
    if (f.what->kind == node_kind::list) {
      f.what->items.push_back(&x);
    } else if (!f.key) {
      if (x.kind == node_kind::list || x.kind == node_kind::map || x.kind == node_kind::null)
        throw broken{x.at, path(), shown(x) + " as a key", "a name"};
      f.key = &x;
    } else {
      f.what->entries.push_back({f.key, &x});
      f.key = nullptr;
    }
    f.what->height = std::max(f.what->height, x.height + 1);
    f.what->weight += x.weight;
  }

  static bool is_merge(const node& key) { return key.text == "<<" && !key.quoted; }

  void check_keys(const node& map) {
    if (map.entries.size() < 2)
      return;
    std::vector<const node*> keys;
    keys.reserve(map.entries.size());
    for (const auto& e : map.entries)
      keys.push_back(e.key);
    std::stable_sort(keys.begin(), keys.end(),
                     [](const node* a, const node* b) { return a->text < b->text; });
    for (std::size_t i = 1; i < keys.size() && into_.errors.size() < 1000; ++i)
      if (keys[i]->text == keys[i - 1]->text) {
        std::size_t first = i - 1;
        while (first > 0 && keys[first - 1]->text == keys[i]->text)
          --first;
        into_.errors.push_back({keys[i]->at, path_to(keys[i]->text),
                                "the key " + shown(*keys[i]) + " again, first in line "
                                    + std::to_string(keys[first]->at.line),
                                "each key once in a map"});
      }
  }

  /// What `<<` brings in comes after the map's own keys, which win; so do earlier sources.
  void merge(node& map) {
    auto at = std::find_if(map.entries.begin(), map.entries.end(),
                           [](const entry& e) { return is_merge(*e.key); });
    if (at == map.entries.end())
      return;
    const node* from = at->value;
    map.entries.erase(at);
    std::vector<const node*> sources;
    if (from->kind == node_kind::list)
      sources = from->items;
    else
      sources.push_back(from);
    std::set<std::string_view> known;
    for (const auto& e : map.entries)
      known.insert(e.key->text);
    for (const auto* s : sources) {
      if (s->kind != node_kind::map)
        throw broken{s->at, path_to("<<"), shown(*s), "a map, or a list of maps, to merge"};
      for (const auto& e : s->entries)
        if (known.insert(e.key->text).second)
          map.entries.push_back(e);
    }
  }

  std::string path_to(std::string_view key) const {
    auto x = path();
    if (!x.empty())
      x += '.';
    return x.append(key);
  }

  std::string path() const {
    std::string x;
    for (const auto& f : stack_) {
      if (f.what->kind == node_kind::list) {
        x += '[' + std::to_string(f.what->items.size()) + ']';
      } else if (f.key) {
        if (!x.empty())
          x += '.';
        x += f.key->text;
      }
    }
    return x;
  }

  yaml_tree& into_;
  const line_index& lines_;
  std::vector<const node*> anchors_;
  std::vector<frame> stack_;
  const node* root_ = nullptr;
  std::pair<std::size_t, place> last_scalar_{0, {}};
  std::size_t expanded_ = 0;
};

/// yaml-cpp quotes single bytes of the text, which are not always characters.
std::string readable(std::string words) {
  for (char& c : words)
    if (c < ' ' || c > '~')
      c = '?';
  return words;
}

void parse(std::string_view text, yaml_tree& into) {
  line_index lines(text);
  tree_builder builder(into, lines);
  try {
    text_buffer buffer(text);
    std::istream in(&buffer);
    YAML::Parser parser(in);
    while (parser.HandleNextDocument(builder)) {
      const node* root = builder.root();
      // The same place twice: the parser stands before a token that it never takes.
      if (root && !into.documents.empty() && root->kind == node_kind::null
          && root->at.line == into.documents.back()->at.line
          && root->at.column == into.documents.back()->at.column)
        throw broken{root->at, "", "something out of place", "a map"};
      if (root)
        into.documents.push_back(root);
    }
    builder.check_last_quote(text);
  } catch (const broken& x) {
    into.errors.push_back(x);
  } catch (const YAML::Exception& x) {
    bool open = x.msg.starts_with("end of ");
    bool no_mark = x.mark.line <= 0 && x.mark.column <= 0;
    auto at = no_mark && open ? lines.end() : lines.at(x.mark.line, x.mark.column);
    auto what = readable(x.msg) + (open ? builder.still_open() : "");
    into.errors.push_back({at, "", "broken YAML (" + what + ")", "YAML or JSON"});
  } catch (const std::exception& x) {
    into.errors.push_back({{}, "", "broken YAML (" + readable(x.what()) + ")", "YAML or JSON"});
  }
}

} // namespace

yaml_tree read_tree(const std::string& text) {
  yaml_tree x;
  if (text.size() > largest_file) {
    x.errors.push_back(
        {{}, "", std::to_string(text.size()) + " bytes", "at most 1 MiB (1048576 bytes) a file"});
    return x;
  }
  std::string_view body = text;
  if (body.substr(0, 3) == "\xEF\xBB\xBF")
    body.remove_prefix(3);
  if (auto wrong = check_characters(body))
    x.errors.push_back(*wrong);
  else
    parse(body, x);
  return x;
}

} // namespace legion::manifest
