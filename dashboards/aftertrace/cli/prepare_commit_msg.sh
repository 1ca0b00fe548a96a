#!/bin/sh
# aftertrace git-hook
#
# Names the run of the agent that makes a commit in the commit's trailers, so that the run is found from it later.
# Where nothing in the environment tells of an agent, nothing is done; a commit never fails because of it.
# `aftertrace git-hook uninstall` takes it away, and puts back the hook that was here before.

before=${0%/*}/prepare-commit-msg.before-aftertrace
if [ -x "$before" ]; then
    "$before" "$@" || exit
fi

LC_ALL=C
export LC_ALL

# An id: 1 to 128 of A-Z a-z 0-9 . _ : -, a letter or digit first and last. So it is no second line and no option.
is_id() {
    case $1 in
        '' | *[!A-Za-z0-9._:-]* | [!A-Za-z0-9]* | *[!A-Za-z0-9]) return 1 ;;
    esac
    [ "${#1}" -le 128 ]
}

# The value of aftertrace.run.id in W3C baggage; nothing where two differ.
of_baggage() {
    rest=$1,
    found=
    [ "${#rest}" -le 8193 ] || return
    while [ -n "$rest" ]; do
        member=${rest%%,*}
        rest=${rest#*,}
        member=${member%%;*}
        case $member in *=*) ;; *) continue ;; esac
        key=${member%%=*}
        value=${member#*=}
        key=${key#"${key%%[! ]*}"}
        key=${key%"${key##*[! ]}"}
        [ "$key" = aftertrace.run.id ] || continue
        value=${value#"${value%%[! ]*}"}
        value=${value%"${value##*[! ]}"}
        while :; do
            case $value in
                *%3[Aa]*) value=${value%%%3[Aa]*}:${value#*%3[Aa]} ;;
                *) break ;;
            esac
        done
        [ -z "$found" ] || [ "$found" = "$value" ] || return
        found=$value
    done
    printf %s "$found"
}

# The trace of a W3C traceparent.
of_traceparent() {
    trace=${1#??-}
    case $trace in
        *[!0-9a-f-]* | 00000000000000000000000000000000-*) return ;;
        ????????????????????????????????-????????????????-??*) ;;
        *) return ;;
    esac
    trace=${trace%%-*}
    [ "${#trace}" -eq 32 ] && printf %s "$trace"
}

stamp() {
    is_id "$2" || return
    # A merge's message ends without a line feed, and git would write the trailer right below its subject.
    [ -z "$(tail -c 1 "$message")" ] || echo >>"$message"
    git interpret-trailers --in-place --no-divider --if-exists addIfDifferent --if-missing add \
        --trailer "$1: $2" "$message" 2>/dev/null
}

message=$1
# Without a word in it, git is to call the commit off, as ever. What a comment begins with, git knows best: it may be
# configured, and differs by version. A template that nobody edited is called off, too, and with a trailer it is edited.
[ -f "$message" ] && [ "${2-}" != template ] || exit 0
sed '/ -\{8,\} >8 -\{8,\}$/,$d' "$message" 2>/dev/null | git stripspace --strip-comments 2>/dev/null |
    grep -q . || exit 0

run=$(of_baggage "${BAGGAGE-}")
agent=${CLAUDECODE-}${CLAUDE_CODE_SESSION_ID-}${CODEX_THREAD_ID-}${COPILOT_CLI-}${COPILOT_AGENT_SESSION_ID-}
# Build servers have a trace too: it is an agent's where an agent says that it is here.
if [ -z "$run" ] && [ -n "$agent" ]; then
    run=$(of_traceparent "${TRACEPARENT-}")
fi
stamp Aftertrace-Run "$run"
for conversation in "${CLAUDE_CODE_SESSION_ID-}" "${CODEX_THREAD_ID-}" "${COPILOT_AGENT_SESSION_ID-}"; do
    stamp Aftertrace-Conversation "$conversation"
done
exit 0
