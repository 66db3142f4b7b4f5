# Sourced by every bash that a step starts (BASH_ENV).

# One step at a time: act starts up to four cells of a matrix at once, and on one core a server would not be up in time.
if [ -z "${ENGINE_STEP:-}" ]; then
  export ENGINE_STEP=1
  exec {turn}>> "$ENGINE_TURN"
  flock "$turn"
  # act stops reading the terminal when the process ends, and on a busy machine misses its last words: those that matter.
  trap '[ "$?" = 0 ] || sleep 0.2' EXIT
fi

# Makes the run's one token the job's own, so that the fake GitHub knows what the job may do. On GitHub each job gets a
# token of its own.
case "${GH_TOKEN:-}" in
  "" | *@*) ;;
  *) export GH_TOKEN="$GH_TOKEN@${GITHUB_WORKFLOW// /_}@$GITHUB_JOB" ;;
esac

# Only jobs that may have an identity are told where to ask for it.
case " $ENGINE_IDENTITIES " in
  *" ${GITHUB_WORKFLOW// /_}@$GITHUB_JOB "*)
    export ACTIONS_ID_TOKEN_REQUEST_URL="$ENGINE_ISSUER/?api-version=2.0"
    export ACTIONS_ID_TOKEN_REQUEST_TOKEN="$ENGINE_SECRET@${GITHUB_WORKFLOW// /_}@$GITHUB_JOB"
    ;;
esac

# Sigstore, which signs, is out of reach: this one command is run with a stand-in for it, all others as they are.
uv() {
  case "$*" in
    "run --locked --only-group release pypi-attestations sign "*)
      shift 5
      command uv run --locked --only-group release python "$ENGINE_TOOLS/pypi_attestations_unsigned.py" "$@"
      ;;
    *) command uv "$@" ;;
  esac
}
