# Sourced by every bash that a step starts (BASH_ENV).

# One step at a time: act starts up to four cells of a matrix at once, and on one core a server would not be up in time.
if [ -z "${ENGINE_STEP:-}" ]; then
  export ENGINE_STEP=1
  exec {turn}>> "$ENGINE_TURN"
  flock "$turn"
fi

# Makes the run's one token the job's own, so that the fake GitHub knows what the job may do. On GitHub each job gets a
# token of its own.
case "${GH_TOKEN:-}" in
  "" | *@*) ;;
  *) export GH_TOKEN="$GH_TOKEN@${GITHUB_WORKFLOW// /_}@$GITHUB_JOB" ;;
esac
