#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "runtime/console/conversation.hpp"

/// What each command does with its arguments. All return an exit code.
namespace legion::console {

struct scope {
  std::string ns = "default";
  bool all_namespaces = false;
};

struct apply_options {
  std::vector<std::string> files;
  bool strict = false;
  bool dry_run = false;
  bool wait = false;
  std::chrono::milliseconds wait_timeout{300'000};
};
int apply(conversation& with, const apply_options& how, const scope& where);

struct get_options {
  std::vector<std::string> what; // KIND[,KIND...] [NAME...], or KIND/NAME...
  std::string selector;
  std::string output; // "", "wide", "json", "yaml" or "name"
  bool watch = false;
  bool headings = true;
};
int get(conversation& with, const get_options& how, const scope& where);

int describe_things(conversation& with, const std::vector<std::string>& what, const scope& where);
int remove(conversation& with, const std::vector<std::string>& what,
           const std::vector<std::string>& files, const scope& where);
int scale(conversation& with, const std::vector<std::string>& what, int replicas,
          std::uint64_t expected_version, const scope& where);
/// Puts a pod's name in the place of `pod/NAME`, or of `deployment/NAME`: to read, of a ready one if
/// there is one; to explain, of one that waits.
enum class pod_choice { to_read, to_explain };
int choose_pod(conversation& with, std::string& pod, pod_choice why, const scope& where);
int logs(conversation& with, logs_request what);
int why(conversation& with, why_request what);

struct backup_options {
  std::string file; // "-": standard output
  bool force = false;
  bool verify = false; // reads the file, and asks nobody
  std::string output;  // "" or "json"
};
int back_up(conversation& with, const backup_options& how);
/// `backup --verify`: needs no node.
int verify_backup(terminal& with, const backup_options& how);

struct restore_options {
  std::string file; // "-": standard input
  bool force = false;
  bool missing_only = false;
  bool dry_run = false;
  std::string output; // "" or "json"
};
int restore(conversation& with, const restore_options& how);

struct rebuild_options {
  std::vector<std::uint32_t> groups; // none: all that do not answer
  bool yes = false;
  bool dry_run = false;
  std::string output; // "" or "json"
};
int rebuild_keepers(conversation& with, const rebuild_options& how);
int cordon(conversation& with, const std::string& node, bool cordoned);
/// The zone's charter: who decides about its members.
int charter(conversation& with);
/// Has the node that is asked raise the charter again; `force`: whoever else may be up.
int rebuild_charter(conversation& with, bool force);
int version(conversation& with);

// -- parts that are tested alone ------------------------------------------------------------------

/// "nodes", "deployments", "pods" or "promises" for any of kubectl's words; empty: no such kind.
std::string kind_word(std::string_view word);

/// Things that were named on the command line, one kind each.
struct named_things {
  std::string kind;
  std::vector<std::string> names;
};
enum class naming { to_look, to_delete }; // a node or a promise is not deleted
/// Errors: `invalid`, with what is allowed.
result<std::vector<named_things>> read_names(const std::vector<std::string>& words,
                                             naming why = naming::to_look);

/// A file, the files of a folder that end in .yaml, .yml or .json, or standard input for "-".
result<std::vector<source_file>> read_files(const std::vector<std::string>& names,
                                            std::istream& standard_input);

} // namespace legion::console
