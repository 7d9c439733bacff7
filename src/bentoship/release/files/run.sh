#!/bin/sh
# Starts this release, wherever it was unpacked. The folder may be read-only.
#   PORT                    where to listen, 8000 unless said otherwise
#   BENTOSHIP_HOST          address to listen on, all of them unless said otherwise
#   BENTOSHIP_STATE_DIR     where to write; a folder for temporary files unless said otherwise
#   BENTOSHIP_PYTHON        the interpreter, when the right one isn't on PATH
#   BENTOSHIP_SITE_PACKAGES other wheels of the same packages, for machines that aren't Linux x86-64
#   BENTOSHIP_RELEASE       id of this release, which its answers then carry
#   BENTOSHIP_DRAIN_SECONDS how long requests may take to finish after SIGTERM, 30 unless said otherwise
#   SERVING_*               processes, limits, access, metrics: launcher/bentoship/serving/settings.py has them all
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
IFS= read -r minor <"$here/PYTHON"

python=
for candidate in "${BENTOSHIP_PYTHON:-}" "python$minor" python3 "/usr/local/bin/python$minor" "/usr/bin/python$minor" \
  /opt/python/3/bin/python3 "/opt/python/$minor/bin/python3"; do
  [ -n "$candidate" ] || continue
  found=$("$candidate" -S -c 'import sys; print("%s %d.%d" % (sys.implementation.name, *sys.version_info[:2]))' \
    2>/dev/null) || continue
  if [ "$found" = "cpython $minor" ]; then
    python=$candidate
    break
  fi
done
if [ -z "$python" ]; then
  echo "bentoship: this release needs CPython $minor, and there is none here; install it or set BENTOSHIP_PYTHON" >&2
  exit 78
fi

export PORT="${PORT:-8000}"
state=${BENTOSHIP_STATE_DIR:-${TMPDIR:-/tmp}/bentoship}
metrics=$state/metrics
if ! mkdir -p "$state/bentoml" "$metrics"; then
  echo "bentoship: $state can't be written; set BENTOSHIP_STATE_DIR to a folder that can" >&2
  exit 78
fi
# A process keeps its metrics in files of its own. Those of processes that are gone would be counted with them.
for old in "$metrics"/*; do
  kill -0 "${old##*/}" 2>/dev/null || rm -rf "$old" 2>/dev/null || :
done
rm -rf "${metrics:?}/$$"
mkdir -p "$metrics/$$"
[ -d "${HOME:-}" ] && [ -w "$HOME" ] || HOME=$state
export HOME
export BENTOML_HOME="$state/bentoml" BENTOML_DO_NOT_TRACK=True PROMETHEUS_MULTIPROC_DIR="$metrics/$$"
export PYTHONPATH="${BENTOSHIP_SITE_PACKAGES:-$here/site-packages}:$here/launcher:$here/app/src"
export PYTHONNOUSERSITE=1 PYTHONUNBUFFERED=1
if [ -n "${GAE_ENV:-}" ]; then
  export PYTHONDONTWRITEBYTECODE=1 # what App Engine lets us write to is memory
else
  export PYTHONPYCACHEPREFIX="${PYTHONPYCACHEPREFIX:-$state/bytecode}"
fi
cd "$here/app/src"
# -S: nothing that the host itself has installed. -P: no file of the service hides a module of Python's own.
exec "$python" -S -P -m bentoship.serving "$here/app"
