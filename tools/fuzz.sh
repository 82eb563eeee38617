#!/usr/bin/env bash
# Run every Go fuzz test for a while, one after the other: `go test` takes one at a time.
# usage: tools/fuzz.sh 5s
set -euo pipefail

fuzztime=$1
go=${GO:-go}
count=0
while read -r package; do
    while read -r name; do
        echo "== $package $name"
        "$go" test -run '^$' -fuzz "^$name\$" -fuzztime "$fuzztime" "$package" </dev/null
        count=$((count + 1))
    done < <("$go" test -list '^Fuzz' "$package" | grep '^Fuzz' || true)
done < <("$go" list ./... | grep -v /core/border)
echo "== $count fuzz tests passed, $fuzztime each"
[ "$count" -gt 0 ]
