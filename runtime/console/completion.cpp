#include "runtime/console/completion.hpp"

namespace legion::console {

namespace {

// clang-format off
constexpr const char* bash =
    R"sh(# legionctl completion for bash:  source <(legionctl completion bash)
_legionctl() {
  local verbs="apply get describe delete scale logs why cordon uncordon simulate version completion"
  local kinds="nodes deployments pods promises"
  local cur="${COMP_WORDS[COMP_CWORD]}" prev="${COMP_WORDS[COMP_CWORD-1]}"
  local verb="" kind="" word i
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="${COMP_WORDS[i]}"
    case "$word" in
      -*) ;;
      *) if [ -z "$verb" ]; then verb="$word"; elif [ -z "$kind" ]; then kind="$word"; fi ;;
    esac
  done
  case "$prev" in
    -f|--filename) COMPREPLY=($(compgen -f -- "$cur")); return ;;
    -o|--output) COMPREPLY=($(compgen -W "wide json yaml name" -- "$cur")); return ;;
  esac
  if [ -z "$verb" ]; then
    COMPREPLY=($(compgen -W "$verbs" -- "$cur"))
    return
  fi
  case "$verb" in
    logs|why) kind=pods ;;
    cordon|uncordon) kind=nodes ;;
    completion) COMPREPLY=($(compgen -W "bash zsh fish" -- "$cur")); return ;;
    get|describe|delete|scale) ;;
    *) return ;;
  esac
  if [ -z "$kind" ]; then
    COMPREPLY=($(compgen -W "$kinds" -- "$cur"))
    return
  fi
  local names
  names="$(legionctl get "$kind" -o name 2>/dev/null | sed 's|.*/||')"
  COMPREPLY=($(compgen -W "$names" -- "$cur"))
}
complete -F _legionctl legionctl
)sh";

constexpr const char* fish =
    R"sh(# legionctl completion for fish:  legionctl completion fish | source
function __legionctl_names
  legionctl get $argv[1] -o name 2>/dev/null | string replace -r '.*/' ''
end
set -l verbs apply get describe delete scale logs why cordon uncordon simulate version completion
complete -c legionctl -f
complete -c legionctl -n "not __fish_seen_subcommand_from $verbs" -a "$verbs"
complete -c legionctl -n "__fish_seen_subcommand_from get describe delete scale" \
  -a "nodes deployments pods promises"
complete -c legionctl -n "__fish_seen_subcommand_from logs why" -a "(__legionctl_names pods)"
complete -c legionctl -n "__fish_seen_subcommand_from cordon uncordon" \
  -a "(__legionctl_names nodes)"
complete -c legionctl -n "__fish_seen_subcommand_from completion" -a "bash zsh fish"
complete -c legionctl -s o -l output -x -a "wide json yaml name"
complete -c legionctl -s f -l filename -r -F
)sh";
// clang-format on

} // namespace

std::string completion(const std::string& shell) {
  if (shell == "bash")
    return bash;
  if (shell == "zsh")
    return std::string{"# legionctl completion for zsh:  source <(legionctl completion zsh)\n"
                       "autoload -U +X bashcompinit && bashcompinit\n"}
           + bash;
  if (shell == "fish")
    return fish;
  return {};
}

} // namespace legion::console
