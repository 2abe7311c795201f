package runtimes

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hearthfn/hearth/tests/harness"
)

const javaLogging = `package example;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.LambdaLogger;
import com.amazonaws.services.lambda.runtime.logging.LogLevel;
import java.nio.charset.StandardCharsets;

public class Logging {
    public String handle(Object event, Context context) {
        LambdaLogger logger = context.getLogger();
        logger.log("plain\n\"quoted\"");
        logger.log("too fine", LogLevel.DEBUG);
        logger.log("careful", LogLevel.WARN);
        logger.log("bytes".getBytes(StandardCharsets.UTF_8));
        System.out.println("printed");
        if (System.getenv("FAILS") != null) {
            throw new IllegalStateException("odd");
        }
        return "ok";
    }
}
`

func TestJavaLogsJSONOfTheLogLevel(t *testing.T) {
	harness.Slow(t, "it compiles Java")
	harness.Parallel(t)
	s := harness.NewServer(t, "", "")
	source := s.Code("source", map[string]string{"example/Logging.java": javaLogging})
	folder := s.Code("logging", map[string]string{"keep": ""})
	interfaces, err := filepath.Abs("../../warmpool/runtimes/java/jars/interfaces.jar")
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("javac", "--release", "17", "-proc:none", "-cp", interfaces, "-d", folder, source+"/example/Logging.java").CombinedOutput(); err != nil {
		t.Fatalf("%v (install a JDK)\n%s", err, out)
	}
	s.Configure(javaFunction("j", "example.Logging::handle", folder, "log_format json\n log_level info\n timeout 60s")+
		javaFunction("fails", "example.Logging::handle", folder, "log_format json\n log_level error\n timeout 60s\n env FAILS 1")+
		javaFunction("text", "example.Logging::handle", folder, "timeout 60s"),
		"function /j j\nfunction /fails fails\nfunction /text text")
	s.Start()
	s.Get("/j").Want(t, 200, "ok")
	s.Get("/fails").Want(t, 502, "")
	s.Get("/text").Want(t, 200, "ok")
	s.WantLog("j", `platform.report`)
	s.WantLog("fails", `platform.report`)
	s.WantLog("text", "REPORT", "plain", "[DEBUG] too fine", "[WARN] careful", "bytes", "printed")

	// events are the function's own lines, those in JSON as "LEVEL message".
	events := func(function string) (got []string) {
		t.Helper()
		for line := range strings.Lines(s.Logs(function)) {
			fields := strings.SplitN(strings.TrimSuffix(line, "\n"), " ", 4)
			if len(fields) < 4 || strings.Contains(line, `"type":"platform.`) || strings.HasPrefix(line, "#") {
				continue
			}
			var event struct{ Timestamp, Message, Level, AWSRequestId string }
			if json.Unmarshal([]byte(fields[3]), &event) != nil {
				got = append(got, fields[3])
				continue
			}
			if event.AWSRequestId != fields[2] || len(event.Timestamp) != len("2026-11-28T00:00:00.000Z") {
				t.Errorf("%s: %s", fields[2], fields[3])
			}
			first, _, _ := strings.Cut(event.Message, "\n")
			got = append(got, event.Level+" "+first)
		}
		return got
	}
	if got, want := events("j"), []string{"UNDEFINED plain", "WARN careful", "bytes", "printed"}; !slices.Equal(got, want) {
		t.Errorf("logged %q, want %q", got, want)
	}
	if got, want := events("fails"), []string{"UNDEFINED plain", "bytes", "printed", "ERROR odd: java.lang.IllegalStateException"}; !slices.Equal(got, want) {
		t.Errorf("logged %q, want %q", got, want)
	}
}
