#!/usr/bin/env bash
# What action.yml runs: annotations, the job's summary, SARIF where it is asked for; fails as the check does.
set -uo pipefail
read -ra paths <<<"$PATHS"
read -ra args <<<"${ARGS:-}"

tcptrace check "${paths[@]}" "${args[@]}" --quiet --format github
status=$?
if [ -n "${GITHUB_STEP_SUMMARY:-}" ]; then
    tcptrace check "${paths[@]}" "${args[@]}" --quiet --format markdown >>"$GITHUB_STEP_SUMMARY" 2>/dev/null
fi
if [ -n "${SARIF:-}" ]; then
    tcptrace check "${paths[@]}" "${args[@]}" --quiet --format sarif -o "$SARIF" 2>/dev/null
fi
exit "$status"
