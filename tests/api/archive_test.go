package api

import (
	"archive/zip"
	"bytes"
	"context"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/hearthfn/hearth/tests/harness"
)

// A zipped is an entry of an archive with all of its mode.
type zipped struct {
	name, text string
	mode       uint32 // Unix's
}

func zipWith(t testing.TB, entries ...zipped) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, e := range entries {
		entry, err := w.CreateHeader(&zip.FileHeader{Name: e.name, Method: zip.Deflate, CreatorVersion: 3 << 8, ExternalAttrs: e.mode << 16})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(entry, e.text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func publishLayer(a *harness.API, name string, archive []byte) (arn string) {
	a.T.Helper()
	out, err := a.PublishLayerVersion(context.Background(), &lambda.PublishLayerVersionInput{
		LayerName: aws.String(name), Content: &types.LayerVersionContentInput{ZipFile: archive},
	})
	a.Check(err)
	return *out.LayerVersionArn
}

func TestAPILinksOfAnArchiveArePathsOfTheEnvironment(t *testing.T) {
	harness.Parallel(t)
	a := harness.NewAPI(t, "", "")
	const link = 0o120777
	layer := publishLayer(a, "words", zipWith(t, zipped{"nodejs/node_modules/.pnpm/words@1/node_modules/words/index.js", "module.exports = 'of the layer';", 0o100644},
		zipped{"nodejs/node_modules/words", ".pnpm/words@1/node_modules/words", link}))
	a.Create("f", zipWith(t, zipped{"index.js", `exports.handler = async () => {
		const fs = require('fs');
		return [require('words'), fs.readFileSync('up/opt/nodejs/node_modules/words/index.js', 'utf8').length, fs.existsSync('data')].join();
	};`, 0o100644}, zipped{"node_modules", "/opt/nodejs/node_modules", link}, zipped{"up", "../..", link}, zipped{"data", a.Dir, link}),
		func(in *lambda.CreateFunctionInput) { in.Layers = []string{layer} })
	a.WantCall("f", "{}", "of the layer,32,false")
}

func TestAPIArchivesOfBuildToolsAreUnpackedAsOnLambda(t *testing.T) {
	harness.Parallel(t)
	a := harness.NewAPI(t, "", "")
	a.Create("f", zipWith(t, zipped{"META-INF/", "", 0o177777}, zipped{"META-INF/LICENSE", "first", 0o100644}, zipped{"META-INF/LICENSE", "last", 0o104755},
		zipped{"__MACOSX/._index.js", "\x00\x05\x16\x07", 0o100644},
		zipped{"./index.js", "exports.handler = async () => require('fs').readFileSync('META-INF/LICENSE', 'utf8');", 0o100644}))
	a.WantCall("f", "{}", "last")

	whole := zipWith(t, zipped{"index.js", "exports.handler = async () => 1;", 0o100644})
	damaged := bytes.Clone(whole)
	damaged[bytes.Index(damaged, []byte("PK\x01\x02"))+16]++ // the checksum
	for text, archive := range map[string][]byte{
		`"lib\\a.js": folders are parted by /`:      zipWith(t, zipped{`lib\a.js`, "x", 0}),
		`"../a.js": its path leads out`:             zipWith(t, zipped{"../a.js", "x", 0}),
		`"index.js": it is damaged`:                 damaged,
		`"l/a.js": it lies within "l", which is no`: zipWith(t, zipped{"l", "/opt", 0o120777}, zipped{"l/a.js", "x", 0}),
	} {
		_, err := a.UpdateFunctionCode(context.Background(), &lambda.UpdateFunctionCodeInput{FunctionName: aws.String("f"), ZipFile: archive})
		harness.Refused(t, err, 400, "InvalidParameterValueException", text)
	}
	a.WantCall("f", "{}", "last")
}

// empty takes the content of all files below a folder, as a power cut did when nothing
// was synced.
func empty(t *testing.T, dir string) {
	t.Helper()
	n := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		n++
		return os.Truncate(path, 0)
	})
	if err != nil || n == 0 {
		t.Fatalf("%d files emptied: %v", n, err)
	}
}

func TestAPIDamagedCodeAndLayersAreUnpackedAgain(t *testing.T) {
	harness.Parallel(t)
	a := harness.NewAPI(t, "", "")
	one := publishLayer(a, "one", harness.ZipOf(t, map[string]string{"nodejs/node_modules/one/index.js": "module.exports = 'one';"}))
	two := publishLayer(a, "two", harness.ZipOf(t, map[string]string{"nodejs/node_modules/two/index.js": "module.exports = 'two';"}))
	code := harness.ZipOf(t, map[string]string{"index.js": "exports.handler = async () => require('one') + ' ' + require('two');"})
	a.Create("f", code, func(in *lambda.CreateFunctionInput) { in.Layers = []string{one, two} })
	a.WantCall("f", "{}", "one two")
	a.Stop()
	empty(t, filepath.Join(a.Dir, "data", "code", "tree"))
	a.Restart()
	a.WantCall("f", "{}", "one two")

	// While the server runs, a new upload of the same archive mends it.
	same := harness.NodeZip(t, "return 'same';")
	a.Create("g", same)
	empty(t, filepath.Join(a.Dir, "data", "code", "tree"))
	a.Create("h", same)
	a.WantCall("h", "{}", "same")
}
