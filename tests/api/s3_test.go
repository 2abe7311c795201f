package api

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/hearthfn/hearth/tests/harness"
)

// s3Script is what deployers do, by boto3 as it is: checksums in trailers, threads, parts.
const s3Script = `
import io, os, hashlib, socket, urllib.request, urllib.error
import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from boto3.s3.transfer import TransferConfig

endpoint = os.environ["AWS_ENDPOINT_URL"]
once = Config(retries={"max_attempts": 0})
s3 = boto3.client("s3", config=once)

def refused(code, call):
    try:
        answer = call()
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error.response
        return error.response["Error"].get("Message", "")
    raise AssertionError((code, answer))

refused("NoSuchBucket", lambda: s3.put_object(Bucket="shop", Key="k", Body=b"x"))
refused("404", lambda: s3.head_bucket(Bucket="shop"))
s3.create_bucket(Bucket="shop")
s3.get_waiter("bucket_exists").wait(Bucket="shop")
assert [b["Name"] for b in s3.list_buckets()["Buckets"]] == ["shop"]
assert s3.get_bucket_location(Bucket="shop")["LocationConstraint"] is None
assert "Status" not in s3.get_bucket_versioning(Bucket="shop")
assert s3.get_bucket_encryption(Bucket="shop")["ServerSideEncryptionConfiguration"]["Rules"][0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"

# Objects, with every checksum that this boto3 makes itself, and one over a stream.
data = os.urandom(300_001)
for algorithm in (None, "CRC32", "SHA1", "SHA256"):
    more = {"ChecksumAlgorithm": algorithm} if algorithm else {}
    for body in (data, io.BytesIO(data)):
        put = s3.put_object(Bucket="shop", Key="a/b c+ü%.zip", Body=body, ContentType="application/zip", Metadata={"filesha256": "x"}, CacheControl="no-cache", **more)
        assert put["ETag"] == '"%s"' % hashlib.md5(data).hexdigest() and put["Checksum" + (algorithm or "CRC32")], put
        got = s3.get_object(Bucket="shop", Key="a/b c+ü%.zip", ChecksumMode="ENABLED")
        assert got["Body"].read() == data and got["ContentType"] == "application/zip" and got["Metadata"] == {"filesha256": "x"} and got["CacheControl"] == "no-cache", got
        assert got["Checksum" + (algorithm or "CRC32")] == put["Checksum" + (algorithm or "CRC32")]
        assert "ContentEncoding" not in got, got
refused("BadDigest", lambda: s3.put_object(Bucket="shop", Key="wrong", Body=b"x", ChecksumCRC32="AAAAAA=="))
refused("404", lambda: s3.head_object(Bucket="shop", Key="wrong"))
for asked, want in (("bytes=7-12", data[7:13]), ("bytes=-5", data[-5:]), ("bytes=299999-", data[299999:]), ("bytes=33-999999999", data[33:])):
    got = s3.get_object(Bucket="shop", Key="a/b c+ü%.zip", Range=asked)
    assert got["Body"].read() == want and got["ResponseMetadata"]["HTTPStatusCode"] == 206, asked
refused("InvalidRange", lambda: s3.get_object(Bucket="shop", Key="a/b c+ü%.zip", Range="bytes=300001-"))
refused("304", lambda: s3.get_object(Bucket="shop", Key="a/b c+ü%.zip", IfNoneMatch=put["ETag"]))
refused("PreconditionFailed", lambda: s3.get_object(Bucket="shop", Key="a/b c+ü%.zip", IfMatch='"other"'))
refused("PreconditionFailed", lambda: s3.put_object(Bucket="shop", Key="a/b c+ü%.zip", Body=b"", IfNoneMatch="*"))

# Keys that would be dangerous as names of files.
odd = ["../../escape", "/", "//", "a//b", "a/../b", ".", "..", "a b", "a+b", "%2F", "ü/日本", "x" * 1024, "q?a=b&c", "#"]
for key in odd:
    s3.put_object(Bucket="shop", Key="odd/" + key if len(key) < 1000 else key, Body=key.encode())
for key in odd:
    assert s3.get_object(Bucket="shop", Key="odd/" + key if len(key) < 1000 else key)["Body"].read() == key.encode(), key
refused("KeyTooLongError", lambda: s3.put_object(Bucket="shop", Key="x" * 1025, Body=b""))

# Pages.
for n in range(25):
    s3.put_object(Bucket="shop", Key="page/%d/f%02d" % (n % 5, n), Body=b"")
def pages(**more):
    keys, prefixes, count = [], [], 0
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket="shop", **more):
        keys += [o["Key"] for o in page.get("Contents", [])]
        prefixes += [p["Prefix"] for p in page.get("CommonPrefixes", [])]
        count += 1
    return keys, prefixes, count
keys, prefixes, count = pages(Prefix="page/", PaginationConfig={"PageSize": 4})
assert len(keys) == 25 and keys == sorted(keys) and count == 7, (keys, count)
assert pages(Prefix="page/", Delimiter="/", PaginationConfig={"PageSize": 2}) == ([], ["page/%d/" % n for n in range(5)], 3)
assert pages(Prefix="page/", StartAfter="page/3/f13")[0][0] == "page/3/f18"
assert len(pages(Prefix="odd/")[0]) == len(odd) - 1
everything = boto3.resource("s3").Bucket("shop")
assert len(list(everything.objects.filter(Prefix="page/"))) == 25

# Copies.
s3.copy_object(Bucket="shop", Key="copy", CopySource={"Bucket": "shop", "Key": "a/b c+ü%.zip"})
copy = s3.get_object(Bucket="shop", Key="copy", ChecksumMode="ENABLED")
assert copy["Body"].read() == data and copy["Metadata"] == {"filesha256": "x"}
s3.delete_object(Bucket="shop", Key="a/b c+ü%.zip")
assert s3.get_object(Bucket="shop", Key="copy")["Body"].read() == data

# Parts.
large = os.urandom(13 << 20)
s3.upload_fileobj(io.BytesIO(large), "shop", "large", Config=TransferConfig(multipart_threshold=5 << 20, multipart_chunksize=5 << 20))
head = s3.head_object(Bucket="shop", Key="large", ChecksumMode="ENABLED")
assert head["ETag"].endswith('-3"') and head["ContentLength"] == len(large), head
back = io.BytesIO()
s3.download_fileobj("shop", "large", back)
assert back.getvalue() == large
u = s3.create_multipart_upload(Bucket="shop", Key="parts")["UploadId"]
small = [s3.upload_part(Bucket="shop", Key="parts", UploadId=u, PartNumber=n, Body=b"%d" % n)["ETag"] for n in (1, 2)]
assert [p["PartNumber"] for p in s3.list_parts(Bucket="shop", Key="parts", UploadId=u)["Parts"]] == [1, 2]
assert s3.list_multipart_uploads(Bucket="shop")["Uploads"][0]["UploadId"] == u
refused("EntityTooSmall", lambda: s3.complete_multipart_upload(Bucket="shop", Key="parts", UploadId=u, MultipartUpload={"Parts": [{"PartNumber": n + 1, "ETag": e} for n, e in enumerate(small)]}))
s3.complete_multipart_upload(Bucket="shop", Key="parts", UploadId=u, MultipartUpload={"Parts": [{"PartNumber": 2, "ETag": small[1]}]})
assert s3.get_object(Bucket="shop", Key="parts")["Body"].read() == b"2"
refused("NoSuchUpload", lambda: s3.list_parts(Bucket="shop", Key="parts", UploadId=u))
u = s3.create_multipart_upload(Bucket="shop", Key="parts")["UploadId"]
s3.abort_multipart_upload(Bucket="shop", Key="parts", UploadId=u)
assert "Uploads" not in s3.list_multipart_uploads(Bucket="shop")

# Settings are kept where they are true.
s3.put_bucket_tagging(Bucket="shop", Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
assert s3.get_bucket_tagging(Bucket="shop")["TagSet"] == [{"Key": "a", "Value": "b"}]
block = dict.fromkeys(("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True)
s3.put_public_access_block(Bucket="shop", PublicAccessBlockConfiguration=block)
assert s3.get_public_access_block(Bucket="shop")["PublicAccessBlockConfiguration"] == block
by = lambda name: {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": name}}]}
s3.put_bucket_encryption(Bucket="shop", ServerSideEncryptionConfiguration=by("AES256"))
for what, call in (
    ("aws:kms", lambda: s3.put_bucket_encryption(Bucket="shop", ServerSideEncryptionConfiguration=by("aws:kms"))),
    ("Versioning", lambda: s3.put_bucket_versioning(Bucket="shop", VersioningConfiguration={"Status": "Enabled"})),
    ("policy", lambda: s3.put_bucket_policy(Bucket="shop", Policy="{}")),
    ("lifecycle", lambda: s3.put_bucket_lifecycle_configuration(Bucket="shop", LifecycleConfiguration={"Rules": [{"Status": "Enabled", "Prefix": "", "Expiration": {"Days": 1}}]})),
    ("aws:kms", lambda: s3.put_object(Bucket="shop", Key="k", Body=b"", ServerSideEncryption="aws:kms")),
    ("x-amz-tagging", lambda: s3.put_object(Bucket="shop", Key="k", Body=b"", Tagging="a=b")),
    ("acl", lambda: s3.get_object_acl(Bucket="shop", Key="k")),
    ("notification", lambda: s3.put_bucket_notification_configuration(Bucket="shop", NotificationConfiguration={})),
):
    assert what in refused("NotImplemented", call), what
refused("NoSuchBucketPolicy", lambda: s3.get_bucket_policy(Bucket="shop"))
refused("AccessControlListNotSupported", lambda: s3.put_object(Bucket="shop", Key="k", Body=b"", ACL="public-read"))

# Signed addresses.
signer = boto3.client("s3", config=Config(signature_version="s3v4"))
put = signer.generate_presigned_url("put_object", Params={"Bucket": "shop", "Key": "signed é"})
urllib.request.urlopen(urllib.request.Request(put, data=b"by address", method="PUT")).read()
get = signer.generate_presigned_url("get_object", Params={"Bucket": "shop", "Key": "signed é"})
assert urllib.request.urlopen(get).read() == b"by address"
def status(address, **more):
    try:
        return urllib.request.urlopen(urllib.request.Request(address, **more)).status
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
assert status(get.replace("Signature=", "Signature=0"))[0] == 403
assert status(get, data=b"x", method="PUT")[0] == 403
old = boto3.client("s3", config=Config(signature_version="s3")).generate_presigned_url("put_object", Params={"Bucket": "shop", "Key": "old"})
answer = status(old, data=b"x", method="PUT")
assert answer[0] == 400 and "Please use AWS4-HMAC-SHA256" in answer[1], answer
refused("InvalidAccessKeyId", lambda: boto3.client("s3", config=once, aws_access_key_id="AKIAWRONG", aws_secret_access_key="wrong" * 8).put_object(Bucket="shop", Key="k", Body=b""))
refused("SignatureDoesNotMatch", lambda: boto3.client("s3", config=once, aws_access_key_id=os.environ["AWS_ACCESS_KEY_ID"], aws_secret_access_key="wrong" * 8).put_object(Bucket="shop", Key="k", Body=b""))

# Buckets in the name of the host, which this machine may not resolve.
plain = socket.getaddrinfo
socket.getaddrinfo = lambda host, *more, **names: plain("127.0.0.1" if str(host).endswith(".localhost") else host, *more, **names)
address = "http://localhost:" + endpoint.rsplit(":", 1)[1]
host = boto3.client("s3", endpoint_url=address, config=once.merge(Config(s3={"addressing_style": "virtual"})))
host.create_bucket(Bucket="by-host")
host.put_object(Bucket="by-host", Key="shop/a", Body=b"by host")
assert s3.get_object(Bucket="by-host", Key="shop/a")["Body"].read() == b"by host"
assert host.list_objects_v2(Bucket="by-host")["KeyCount"] == 1
refused("404", lambda: host.head_bucket(Bucket="none"))
refused("NoSuchBucket", lambda: host.list_objects_v2(Bucket="none"))
refused("NoSuchBucket", lambda: host.put_object(Bucket="none", Key="k", Body=b""))
host.delete_object(Bucket="by-host", Key="shop/a")
host.delete_bucket(Bucket="by-host")

# The end.
refused("BucketNotEmpty", lambda: s3.delete_bucket(Bucket="shop"))
everything.objects.all().delete()
s3.delete_bucket(Bucket="shop")
assert s3.list_buckets()["Buckets"] == []
print("finished")
`

func TestDeploymentsUploadByS3(t *testing.T) {
	harness.Parallel(t)
	a := &harness.API{Server: harness.NewServer(t, "", "")}
	a.Configure("", "")
	f, err := os.OpenFile(a.Config, os.O_APPEND|os.O_WRONLY, 0)
	a.Check(err)
	_, err = fmt.Fprintf(f, "http://*.localhost:%d {\n\tlambda_api\n}\n", a.Port)
	a.Check(errors.Join(err, f.Close()))
	a.Start()
	a.Connect()
	s := newShell(a)
	s.write("script.py", []byte(s3Script))
	s.want(s.run(botoPython(t), "script.py"), "finished")
}

// s3Stream sends what has no length of its own: in chunks, with each checksum in a trailer.
const s3Stream = `
import { Readable } from 'node:stream';
import { S3Client, CreateBucketCommand, PutObjectCommand, GetObjectCommand } from '@aws-sdk/client-s3';
const s3 = new S3Client({ forcePathStyle: true, maxAttempts: 1 });
await s3.send(new CreateBucketCommand({ Bucket: 'streams' }));
const data = Buffer.alloc(300000, 'abc');
for (const ChecksumAlgorithm of ['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256']) {
  const at = { Bucket: 'streams', Key: ChecksumAlgorithm };
  const put = await s3.send(new PutObjectCommand({ ...at, Body: Readable.from([data.subarray(0, 100), data.subarray(100)]), ContentLength: data.length, ChecksumAlgorithm }));
  const got = await s3.send(new GetObjectCommand(at));
  if (!put['Checksum' + ChecksumAlgorithm] || !data.equals(Buffer.from(await got.Body.transformToByteArray()))) throw new Error(ChecksumAlgorithm);
}
console.log('finished');
`

func TestSDKForJavaScriptUploadsStreams(t *testing.T) {
	harness.Slow(t, "npm installs it")
	harness.Parallel(t)
	needs(t, "npm", "Node.js with npm (Debian: npm)")
	s := newShell(harness.NewAPI(t, "", ""))
	s.run("npm", append(npmInstall, "@aws-sdk/client-s3@3.1164.0")...)
	s.write("script.mjs", []byte(s3Stream))
	s.want(s.run("node", "script.mjs"), "finished")
}

// What was answered is there after a kill, whole, and nothing else takes room.
func TestUploadsOutliveKills(t *testing.T) {
	harness.Parallel(t)
	a := harness.NewAPI(t, "", "")
	send := func(method, path string, body []byte) (int, []byte) {
		r, err := http.NewRequestWithContext(t.Context(), method, a.URL(path), bytes.NewReader(body))
		a.Check(err)
		sum := sha256.Sum256(body)
		r.Header.Set("X-Amz-Content-Sha256", hex.EncodeToString(sum[:]))
		a.Check(v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }).SignHTTP(t.Context(), a.Credentials, r, hex.EncodeToString(sum[:]), "s3", "us-east-1", time.Now()))
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			return 0, nil
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err != nil {
			return 0, nil
		}
		return answer.StatusCode, text
	}
	content := func(writer, n int) []byte { return bytes.Repeat(fmt.Appendf(nil, "%d of %d;", n, writer), 20000) }
	if status, text := send("PUT", "/kills", nil); status != 200 {
		t.Fatalf("%d %s", status, text)
	}
	const writers = 3
	var kept, tried [writers]int // the last answered, and the last sent
	for round := range 4 {
		var all sync.WaitGroup
		for w := range writers {
			all.Go(func() {
				for {
					tried[w]++
					if status, _ := send("PUT", fmt.Sprintf("/kills/%d", w), content(w, tried[w])); status != 200 {
						return
					}
					kept[w] = tried[w]
				}
			})
		}
		harness.Eventually(t, "something is uploaded", func() bool {
			files, err := filepath.Glob(filepath.Join(a.Dir, "data", "artefacts", "bucket", "kills", "*.json"))
			return err == nil && len(files) > min(round+1, writers)
		})
		a.Kill()
		all.Wait()
		a.Restart()
		for w := range writers {
			status, got := send("GET", fmt.Sprintf("/kills/%d", w), nil)
			whole := status == 404 && kept[w] == 0
			for n := kept[w]; n <= tried[w]; n++ { // the last one may be kept without an answer
				whole = whole || n > 0 && bytes.Equal(got, content(w, n))
			}
			if !whole {
				t.Errorf("round %d: object %d, of which %d was answered: %d, %.40q", round, w, kept[w], status, got)
			}
		}
		blobs, err := filepath.Glob(filepath.Join(a.Dir, "data", "artefacts", "blob", "*"))
		drafts, draftsErr := filepath.Glob(filepath.Join(a.Dir, "data", "artefacts", "new", "*"))
		if err != nil || draftsErr != nil || len(blobs) > writers || len(drafts) > 0 {
			t.Errorf("%d contents and %d drafts are left", len(blobs), len(drafts))
		}
	}
}

const packagedTemplate = `
AWSTemplateFormatVersion: '2010-09-09'
Transform: AWS::Serverless-2016-10-31
Resources:
  Hello:
    Type: AWS::Serverless::Function
    Properties: {Runtime: nodejs20.x, Handler: index.handler, CodeUri: src/}
`

// The aws command uploads a package, and a function is made of it.
func TestFunctionIsMadeOfWhatTheAWSCommandUploads(t *testing.T) {
	harness.Parallel(t)
	needs(t, "aws", "the aws command (Debian: awscli)")
	a := harness.NewAPI(t, "", "")
	s := newShell(a)
	s.run("mkdir", "-p", "src", "tree/a")
	s.write("src/index.mjs", []byte(`export const handler = async () => "packaged";`))
	s.write("code.zip", harness.NodeZip(t, `return "uploaded";`))
	s.write("template.yaml", []byte(packagedTemplate))
	s.write("large", []byte(strings.Repeat("0123456789abcdef", 1<<20))) // 16 MB: in parts
	s.run("aws", "s3", "mb", "s3://artefacts")
	s.run("aws", "s3", "cp", "code.zip", "s3://artefacts/code.zip")
	s.run("aws", "lambda", "create-function", "--function-name", "f", "--runtime", "nodejs20.x", "--handler", "index.handler", "--role", harness.APIRole,
		"--code", "S3Bucket=artefacts,S3Key=code.zip", "--timeout", "60")
	s.run("aws", "lambda", "wait", "function-active-v2", "--function-name", "f")
	a.WantCall("f", "{}", "uploaded")

	packaged := s.run("aws", "cloudformation", "package", "--template-file", "template.yaml", "--s3-bucket", "artefacts")
	_, rest, found := strings.Cut(packaged, "CodeUri: s3://artefacts/")
	if !found {
		t.Fatalf("packaged: %s", packaged)
	}
	key, _, _ := strings.Cut(rest, "\n")
	s.run("aws", "lambda", "update-function-code", "--function-name", "f", "--s3-bucket", "artefacts", "--s3-key", strings.TrimSpace(key))
	s.run("aws", "lambda", "wait", "function-updated-v2", "--function-name", "f")
	a.WantCall("f", "{}", "packaged")

	s.run("aws", "s3", "cp", "large", "s3://artefacts/tree/large")
	s.write("tree/a/b", []byte("b"))
	s.run("aws", "s3", "sync", "tree", "s3://artefacts/tree")
	a.Stop()
	a.Restart()
	s.run("aws", "s3", "sync", "s3://artefacts/tree", "back")
	s.run("cmp", "large", "back/large")
	s.run("cmp", "tree/a/b", "back/a/b")
	if out, err := s.try("aws", "lambda", "update-function-code", "--function-name", "f", "--s3-bucket", "artefacts", "--s3-key", "none"); err == nil || !strings.Contains(out, "NoSuchKey") {
		t.Errorf("a key that is not there: %s", out)
	}
	s.run("aws", "s3", "rb", "--force", "s3://artefacts")
	s.want(s.run("aws", "s3", "ls")+"empty", "empty")
}
