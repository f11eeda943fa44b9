#include "runtime/console/completion.hpp"

#include <set>

namespace legion::console {

namespace {

// What stands for $VERBS, $VALUES and $FLAGS is made from the commands as they are.
// clang-format off
constexpr const char* bash =
    R"sh(# legionctl completion for bash:  source <(legionctl completion bash)
_legionctl() {
  local verbs="$VERBS"
  local kinds="nodes deployments pods promises"
  local cur="${COMP_WORDS[COMP_CWORD]}" prev="${COMP_WORDS[COMP_CWORD-1]}"
  local verb="" kind="" word value="" i
  local where=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="${COMP_WORDS[i]}"
    if [ -n "$value" ]; then
      case "$value" in --target|-n|--namespace) where+=("$value" "$word") ;; esac
      value=""
      continue
    fi
    case "$word" in
      -f) if [ "$verb" != logs ]; then value="$word"; fi ;;
      $VALUES) value="$word" ;;
      -*) ;;
      *) if [ -z "$verb" ]; then verb="$word"; elif [ -z "$kind" ]; then kind="$word"; fi ;;
    esac
  done
  case "$value" in
    -f|--filename|--faults) COMPREPLY=($(compgen -f -- "$cur")); return ;;
    -o|--output)
      case "$verb" in
        backup|restore|keepers) COMPREPLY=($(compgen -W json -- "$cur")) ;;
        *) COMPREPLY=($(compgen -W "wide json yaml name" -- "$cur")) ;;
      esac
      return ;;
    -n|--namespace)
      local spaces
      spaces="$(legionctl get pods -A "${where[@]}" 2>/dev/null | sed '1d; s/ .*//' | sort -u)"
      COMPREPLY=($(compgen -W "$spaces" -- "$cur"))
      return ;;
    ?*) COMPREPLY=(); return ;;
  esac
  case "$cur" in
    -*)
      local flags=""
      case "$verb" in
$FLAGS
      esac
      COMPREPLY=($(compgen -W "$flags" -- "$cur"))
      return ;;
  esac
  if [ -z "$verb" ]; then
    COMPREPLY=($(compgen -W "$verbs" -- "$cur"))
    return
  fi
  case "$verb" in
    logs|why) kind=pods ;;
    cordon|uncordon) kind=nodes ;;
    charter) COMPREPLY=($(compgen -W "rebuild" -- "$cur")); return ;;
    completion) COMPREPLY=($(compgen -W "bash zsh fish" -- "$cur")); return ;;
    backup|restore) COMPREPLY=($(compgen -f -- "$cur")); return ;;
$WORDS
    scale) kinds=deployment ;;
    delete) kinds="deployments pods" ;;
    get|describe) ;;
    *) return ;;
  esac
  local before=""
  case "$verb:$cur" in
    get:*/*|describe:*/*|delete:*/*|scale:*/*) before="${cur%%/*}/" kind="${cur%%/*}" ;;
  esac
  if [ -z "$kind" ]; then
    COMPREPLY=($(compgen -W "$kinds" -- "$cur"))
    return
  fi
  local names
  names="$(legionctl get "$kind" -o name "${where[@]}" 2>/dev/null | sed "s|.*/|$before|")"
  COMPREPLY=($(compgen -W "$names" -- "$cur"))
}
complete -F _legionctl legionctl
)sh";

constexpr const char* fish =
    R"sh(# legionctl completion for fish:  legionctl completion fish | source
function __legionctl_names
  legionctl get $argv[1] -o name 2>/dev/null | string replace -r '.*/' ''
end
set -l verbs $VERBS
complete -c legionctl -f
complete -c legionctl -n "not __fish_seen_subcommand_from $verbs" -a "$verbs"
complete -c legionctl -n "__fish_seen_subcommand_from get describe" \
  -a "nodes deployments pods promises"
complete -c legionctl -n "__fish_seen_subcommand_from delete" -a "deployments pods"
complete -c legionctl -n "__fish_seen_subcommand_from scale" -a deployment
for kind in nodes deployments pods promises
  complete -c legionctl -n "__fish_seen_subcommand_from get describe delete; \
    and __fish_seen_subcommand_from $kind" -a "(__legionctl_names $kind)"
end
complete -c legionctl -n "__fish_seen_subcommand_from scale; \
  and __fish_seen_subcommand_from deployment" -a "(__legionctl_names deployments)"
complete -c legionctl -n "__fish_seen_subcommand_from logs why" -a "(__legionctl_names pods)"
complete -c legionctl -n "__fish_seen_subcommand_from cordon uncordon" \
  -a "(__legionctl_names nodes)"
complete -c legionctl -n "__fish_seen_subcommand_from charter" -a rebuild
complete -c legionctl -n "__fish_seen_subcommand_from completion" -a "bash zsh fish"
complete -c legionctl -n "__fish_seen_subcommand_from backup restore" -F
$WORDS
$FLAGS)sh";
// clang-format on

void replace(std::string& in, const std::string& word, const std::string& with) {
  if (auto at = in.find(word); at != std::string::npos)
    in.replace(at, word.size(), with);
}

std::string verbs_of(const std::vector<verb_words>& verbs) {
  std::string result;
  for (const auto& x : verbs)
    result += (result.empty() ? "" : " ") + x.verb;
  return result;
}

/// All flags that take a value, as a pattern. `-f` is a flag of its own of `logs`.
std::string bash_values(const std::vector<verb_words>& verbs) {
  std::set<std::string> all;
  for (const auto& x : verbs)
    for (const auto& y : x.flags) {
      if (!y.takes_value)
        continue;
      if (!y.name.empty())
        all.insert("--" + y.name);
      if (!y.letter.empty() && y.letter != "f")
        all.insert("-" + y.letter);
    }
  std::string result;
  for (const auto& x : all)
    result += (result.empty() ? "" : "|") + x;
  return result.empty() ? "--" : result;
}

std::string bash_flags(const std::vector<verb_words>& verbs) {
  std::string result;
  for (const auto& x : verbs) {
    std::string words;
    for (const auto& y : x.flags) {
      if (!y.letter.empty())
        words += (words.empty() ? "-" : " -") + y.letter;
      if (!y.name.empty())
        words += (words.empty() ? "--" : " --") + y.name;
    }
    result += (result.empty() ? "" : "\n") + std::string{"        "} + x.verb + ") flags=\"" + words
              + "\" ;;";
  }
  return result;
}

std::string joined(const std::vector<std::string>& words) {
  std::string result;
  for (const auto& x : words)
    result += (result.empty() ? "" : " ") + x;
  return result;
}

/// Verbs after which one of a few words follows.
std::string bash_words(const std::vector<verb_words>& verbs) {
  std::string result;
  for (const auto& x : verbs)
    if (!x.words.empty())
      result += (result.empty() ? "" : "\n") + std::string{"    "} + x.verb
                + ") [ -z \"$kind\" ] && COMPREPLY=($(compgen -W \"" + joined(x.words)
                + "\" -- \"$cur\")); return ;;";
  return result;
}

std::string fish_words(const std::vector<verb_words>& verbs) {
  std::string result;
  for (const auto& x : verbs)
    if (!x.words.empty())
      result += (result.empty() ? "" : "\n")
                + std::string{"complete -c legionctl -n \"__fish_seen_subcommand_from "} + x.verb
                + "\" -a \"" + joined(x.words) + "\"";
  return result;
}

std::string fish_flags(const std::vector<verb_words>& verbs) {
  std::string result;
  for (const auto& x : verbs)
    for (const auto& y : x.flags) {
      result += "complete -c legionctl -n \"__fish_seen_subcommand_from " + x.verb + "\"";
      if (!y.letter.empty())
        result += " -s " + y.letter;
      if (!y.name.empty())
        result += " -l " + y.name;
      if (y.name == "output")
        result += " -x -a \"wide json yaml name\"";
      else if (y.name == "filename" || y.name == "faults")
        result += " -r -F";
      else if (y.takes_value)
        result += " -x";
      std::string about;
      for (char c : y.about)
        about += c == '"' || c == '$' || c == '\\' ? '\'' : c;
      result += about.empty() ? "\n" : " -d \"" + about + "\"\n";
    }
  return result;
}

} // namespace

std::string completion(const std::string& shell, const std::vector<verb_words>& verbs) {
  if (shell == "fish") {
    std::string result = fish;
    replace(result, "$VERBS", verbs_of(verbs));
    replace(result, "$WORDS", fish_words(verbs));
    replace(result, "$FLAGS", fish_flags(verbs));
    return result;
  }
  if (shell != "bash" && shell != "zsh")
    return {};
  std::string result = bash;
  replace(result, "$VERBS", verbs_of(verbs));
  replace(result, "$VALUES", bash_values(verbs));
  replace(result, "$WORDS", bash_words(verbs));
  replace(result, "$FLAGS", bash_flags(verbs));
  if (shell == "zsh")
    result.insert(0, "#compdef legionctl\n"
                     "# legionctl completion for zsh:  source <(legionctl completion zsh)\n"
                     "(( $+functions[compdef] )) || { autoload -U +X compinit && compinit; }\n"
                     "autoload -U +X bashcompinit && bashcompinit\n");
  return result;
}

} // namespace legion::console
