#!/bin/sh
# Asks the runtime about sample.txt and compares its answers with expected.tsv.
#
# usage: check.sh [LINKS_DIR]    LINKS_DIR: the `links` of a deployment; without it the source tree is asked
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
predict=${1:-$here}/runtime/predict

answers=$(mktemp)
trap 'rm -f "$answers"' EXIT
"$predict" <"$here/sample.txt" >"$answers"
diff -u "$here/expected.tsv" "$answers"
printf '%s answers as expected\n' "$predict"
