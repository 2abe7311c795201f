#!/usr/bin/env bash
# A bucket's pictures become thumbnails: starts a real MinIO and Hearth, makes the
# buckets photos and thumbnails, wires the notification, uploads three pictures and shows
# what became of them. Ends all that it started.
#
#   ./minio.sh            then Ctrl-C
#   ./minio.sh --once     ends by itself
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

readonly MINIO=github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c
readonly ROOT=../..
readonly CADDY=$ROOT/bin/caddy

say() { printf '==> %s\n' "$*" >&2; }
die() {
	printf 'minio.sh: %s\n' "$*" >&2
	exit 1
}

for command in node npm aws curl; do
	command -v "$command" >/dev/null || die "$command is missing (on Debian: apt-get install nodejs npm awscli curl)"
done
[[ -x $CADDY ]] || "$ROOT/xcaddy.sh" build
[[ -d node_modules ]] || npm ci --omit=dev --no-audit --no-fund --loglevel=error >&2

# MinIO is a program of its own (AGPL), built with Go where it is not installed.
minio=$(command -v minio || true)
if [[ -z $minio ]]; then
	minio=${XDG_CACHE_HOME:-$HOME/.cache}/hearth-tests/minio-${MINIO#*@}/minio
	if [[ ! -x $minio ]]; then
		say "building MinIO, which takes a few minutes"
		GOBIN=$(dirname "$minio") go install "$MINIO"
	fi
fi

work=$(mktemp -d)
pids=()
finish() {
	for pid in "${pids[@]}"; do
		kill "$pid" 2>/dev/null || true
	done
	wait 2>/dev/null || true
	rm -rf "$work"
}
trap finish EXIT

port() { node -e 's = require("net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close() })'; }
s3=$(port)
export PORT HOOK_TOKEN S3_ADDRESS=127.0.0.1:$s3 S3_ENDPOINT=http://127.0.0.1:$s3 HEARTH_DATA=$work/hearth XDG_RUNTIME_DIR=$work XDG_CONFIG_HOME=$work
PORT=$(port)
HOOK_TOKEN=$(head -c 24 /dev/urandom | base64 | tr -d '/+')

say "Hearth on http://127.0.0.1:$PORT"
"$CADDY" run --config Caddyfile --adapter caddyfile >"$work/hearth.log" 2>&1 &
pids+=($!)

say "MinIO on $S3_ENDPOINT"
mkdir "$work/queue" # MinIO keeps events that it could not deliver, and tries again
MINIO_NOTIFY_WEBHOOK_ENABLE_HEARTH=on \
	MINIO_NOTIFY_WEBHOOK_ENDPOINT_HEARTH=http://127.0.0.1:$PORT/events/s3 \
	MINIO_NOTIFY_WEBHOOK_AUTH_TOKEN_HEARTH="Bearer $HOOK_TOKEN" \
	MINIO_NOTIFY_WEBHOOK_QUEUE_DIR_HEARTH=$work/queue \
	"$minio" server --quiet --address "127.0.0.1:$s3" --console-address 127.0.0.1:0 "$work/minio" >"$work/minio.log" 2>&1 &
pids+=($!)

export AWS_ACCESS_KEY_ID=minioadmin AWS_SECRET_ACCESS_KEY=minioadmin AWS_DEFAULT_REGION=us-east-1 AWS_EC2_METADATA_DISABLED=true
store() { aws --endpoint-url "$S3_ENDPOINT" "$@"; }
for _ in $(seq 100); do
	curl --silent --fail --output /dev/null "$S3_ENDPOINT/minio/health/live" && break
	sleep 0.1
done
store s3api create-bucket --bucket photos >/dev/null || die "MinIO does not answer: $(tail -5 "$work/minio.log")"
store s3api create-bucket --bucket thumbnails >/dev/null
store s3api put-bucket-notification-configuration --bucket photos --notification-configuration '{
	"QueueConfigurations": [{"QueueArn": "arn:minio:sqs::HEARTH:webhook", "Events": ["s3:ObjectCreated:*"]}]
}'

say "three pictures into photos/"
# Two more of the sample, turned and cut: as a camera would have them.
node --input-type=module -e "
import sharp from 'sharp';
const sample = '../thumbnail/sample.jpg';
await sharp(sample).rotate(90).toFile('$work/turned.png');
await sharp(sample).resize(400, 400, { fit: 'cover' }).toFile('$work/square.webp');
"
store s3 cp --quiet ../thumbnail/sample.jpg "s3://photos/2026/a day out.jpg"
store s3 cp --quiet "$work/turned.png" "s3://photos/2026/turned.png"
store s3 cp --quiet "$work/square.webp" "s3://photos/square+1.webp"

say "waiting for thumbnails/"
for _ in $(seq 300); do
	count=$(store s3api list-objects-v2 --bucket thumbnails --query 'length(Contents || `[]`)' --output text)
	[[ $count -ge 3 ]] && break
	sleep 0.2
done
[[ $count -ge 3 ]] || die "$count of 3 thumbnails are there: $(tail -20 "$work/hearth.log")"
store s3 ls --recursive s3://thumbnails

[[ ${1:-} == --once ]] && exit 0
say "put more into s3://photos, as minioadmin: AWS_ACCESS_KEY_ID=minioadmin AWS_SECRET_ACCESS_KEY=minioadmin AWS_DEFAULT_REGION=us-east-1 aws --endpoint-url $S3_ENDPOINT s3 cp FILE s3://photos/; Ctrl-C ends all of it"
wait
