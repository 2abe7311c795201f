#!/usr/bin/env bash
# Makes the jars of the Java runtime, which are committed because functions run where
# there is only a JRE. Needs a JDK 17 or newer and Jackson (Debian: default-jdk-headless,
# libjackson2-databind-java, which brings the other two). The result depends on nothing
# else.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
out=${1:-jars}
jackson=${JACKSON:-/usr/share/java}
classpath=$jackson/jackson-annotations.jar:$jackson/jackson-core.jar:$jackson/jackson-databind.jar
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

mkdir "$work/interfaces" "$work/bootstrap" "$work/rehearsal" "$work/jackson"
compile() { javac --release 11 -g:source,lines -Xlint:all,-options,-processing,-serial -Werror -proc:none "$@"; }
compile -d "$work/interfaces" $(find src/com -name '*.java' | LC_ALL=C sort)
compile -d "$work/rehearsal" -cp "$work/interfaces" src/rehearsal/hearth/*.java
compile -d "$work/bootstrap" -cp "$work/interfaces:$classpath" src/hearth/*.java
for part in annotations core databind; do
	(cd "$work/jackson" && jar -xf "$jackson/jackson-$part.jar" com META-INF/LICENSE META-INF/NOTICE)
done

pack() { # NAME: sorted, and of one date
	(cd "$work/$1" && find . -type f | LC_ALL=C sort | cut -c3- >"$work/list" &&
		jar --create --file "$work/$1.jar" --no-manifest --date=2020-01-01T00:00:00Z @"$work/list")
	mv "$work/$1.jar" "$out/$1.jar"
}
pack interfaces
pack jackson
pack bootstrap
pack rehearsal

# By this a test sees whether the jars are of these sources.
find src -name '*.java' | LC_ALL=C sort | xargs cat | sha256sum | cut -d' ' -f1 >"$out/SOURCES"
