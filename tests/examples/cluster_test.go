package examples

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/hearthfn/hearth/tests/harness"
)

const clusterExample = "../../examples/cluster/"

// freePorts returns the first of so many ports in a row that nobody listens on.
func freePorts(t *testing.T, n int) int {
	t.Helper()
	for range 100 {
		first, free := harness.FreePort(t), 0
		for ; free < n; free++ {
			l, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", first+free))
			if err != nil {
				break
			}
			l.Close()
		}
		if free == n {
			return first
		}
	}
	t.Fatalf("no %d ports in a row are free", n)
	return 0
}

// The example as a newcomer runs it: what is deployed at one gateway answers at the
// others, and afterwards nothing is left.
func TestExampleClusterIsOneAndLeavesNothing(t *testing.T) {
	harness.Slow(t, "it starts three nodes")
	harness.Parallel(t)
	dir, port := filepath.Join(harness.TempDir(t), "cluster"), freePorts(t, 7)
	script := func(what string) (string, error) {
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, clusterExample+"cluster.sh", what)
		cmd.Env = append(os.Environ(), "CLUSTER_DIR="+dir, fmt.Sprint("CLUSTER_PORT=", port))
		cmd.WaitDelay = 10 * time.Second
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	t.Cleanup(func() { _, _ = script("stop") })
	if out, err := script("start"); err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	var started []int
	for _, name := range []string{"redis", "node1", "node2", "node3"} {
		text, err := os.ReadFile(filepath.Join(dir, name, "pid"))
		if err != nil {
			t.Fatal(err)
		}
		pid, err := strconv.Atoi(strings.Fields(string(text))[0])
		if err != nil || !harness.Alive(pid) {
			t.Fatalf("%s does not run: %q %v", name, text, err)
		}
		started = append(started, pid)
	}
	if out, err := script("start"); err == nil {
		t.Errorf("it is started twice:\n%s", out)
	}

	hearth := func(node int, args ...string) string {
		cmd := exec.Command(harness.CaddyBinary(t), append([]string{"hearth"}, args...)...)
		cmd.Env = append(os.Environ(), fmt.Sprintf("HEARTH_DATA_DIR=%s/node%d", dir, node))
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v:\n%s", args, err, out)
		}
		return string(out)
	}
	hearth(1, "deploy", "../../examples/hello-node", "--name", "hello")
	for node := 2; node <= 3; node++ {
		harness.Eventually(t, fmt.Sprintf("node%d answers", node), func() bool {
			r, err := harness.Client.Get(fmt.Sprintf("http://localhost:%d/hello?name=Ada", port+node))
			if err != nil {
				return false
			}
			defer r.Body.Close()
			body, err := io.ReadAll(r.Body)
			return err == nil && r.StatusCode == 200 && bytes.Contains(body, []byte("Hello, Ada!"))
		})
	}
	harness.Eventually(t, "all gateways know each other", func() bool { return harness.LinesWith(hearth(3, "nodes"), "serving") == 3 })
	hearth(2, "drain")
	harness.Eventually(t, "another gateway knows that one drains", func() bool { return harness.LinesWith(hearth(1, "nodes"), "draining") == 1 })

	for _, pid := range started {
		started = append(started, harness.Descendants(pid)...)
	}
	if out, err := script("stop"); err != nil || out != "" {
		t.Fatalf("%v:\n%s", err, out)
	}
	for _, pid := range started {
		harness.Eventually(t, "what was started has ended", func() bool { return !harness.Alive(pid) })
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("the folder is left: %v", err)
	}
	if out, err := script("stop"); err != nil || out != "" {
		t.Errorf("stopped once more: %v %s", err, out)
	}
}

// readExample is a file of the example.
func readExample(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(clusterExample + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// wanted are the variables that the example's Caddyfile names, and given those that its
// image has, with their values.
func wanted(t *testing.T) (wanted []string, given map[string]string) {
	t.Helper()
	for _, found := range regexp.MustCompile(`\{(?:\$|env\.)(\w+)\}`).FindAllStringSubmatch(readExample(t, "Caddyfile"), -1) {
		wanted = append(wanted, found[1])
	}
	slices.Sort(wanted)
	_, line, _ := strings.Cut(readExample(t, "Dockerfile"), "\nENV ")
	line, _, _ = strings.Cut(line, "\n")
	given = make(map[string]string)
	for _, setting := range strings.Fields(line) {
		name, value, _ := strings.Cut(setting, "=")
		given[name] = value
	}
	return slices.Compact(wanted), given
}

// wantVariables fails unless an environment and the image's have all that the Caddyfile
// wants, and the environment nothing else but what is said.
func wantVariables(t *testing.T, environment map[string]string, besides ...string) {
	t.Helper()
	names, image := wanted(t)
	for _, name := range names {
		if environment[name] == "" && image[name] == "" {
			t.Errorf("%s is not set, which the Caddyfile wants", name)
		}
	}
	for name := range environment {
		if !slices.Contains(names, name) && !slices.Contains(besides, name) {
			t.Errorf("%s is set, which the Caddyfile does not name", name)
		}
	}
	if host, _, err := net.SplitHostPort(environment["PEER_ADDRESS"]); err != nil || host == "" {
		t.Errorf("PEER_ADDRESS is %q: %v", environment["PEER_ADDRESS"], err)
	}
}

// decode reads one document of YAML, and refuses fields that into has not.
func decode(t *testing.T, d *yaml.Decoder, into any) (more bool) {
	t.Helper()
	d.KnownFields(true)
	switch err := d.Decode(into); err {
	case nil:
		return true
	case io.EOF:
		return false
	default:
		t.Fatal(err)
		return false
	}
}

func TestExampleComposeFileGivesTheCaddyfileWhatItWants(t *testing.T) {
	harness.Parallel(t)
	type service struct {
		Image       string
		Build       struct{ Context, Dockerfile string }
		Command     []string
		DependsOn   []string `yaml:"depends_on"`
		Restart     string
		Caps        []string      `yaml:"cap_add"`
		Security    []string      `yaml:"security_opt"`
		StopGrace   time.Duration `yaml:"stop_grace_period"`
		Environment map[string]string
		Ports       []string
		Volumes     []string
	}
	var file struct {
		Gateway  service `yaml:"x-gateway"`
		Services map[string]service
		Volumes  map[string]struct{}
	}
	decode(t, yaml.NewDecoder(strings.NewReader(readExample(t, "compose.yaml"))), &file)
	if got := slices.Sorted(maps.Keys(file.Services)); !slices.Equal(got, []string{"node1", "node2", "node3", "redis"}) {
		t.Fatalf("services are %q", got)
	}
	_, image := wanted(t)
	ports, volumes := make(map[string]bool), make(map[string]bool)
	for name, s := range file.Services {
		for _, v := range s.Volumes {
			volume, path, _ := strings.Cut(v, ":")
			if _, there := file.Volumes[volume]; !there || volumes[volume] || path != "/data" {
				t.Errorf("%s has the volume %q", name, v)
			}
			volumes[volume] = true
		}
		if name == "redis" {
			if command := strings.Join(s.Command, " "); !strings.Contains(command, "--appendonly yes") || !strings.Contains(command, "--requirepass ${REDIS_PASSWORD:?") || len(s.Ports) != 0 || len(s.Volumes) != 1 {
				t.Errorf("redis: %+v", s)
			}
			continue
		}
		wantVariables(t, s.Environment)
		if s.Environment["NODE"] != name || !strings.HasPrefix(s.Environment["PEER_ADDRESS"], name+":") || s.Environment["REDIS_URL"] != "redis://:${REDIS_PASSWORD:?is not set}@redis:6379" ||
			s.Environment["CLUSTER_SECRET"] != "${CLUSTER_SECRET:?is not set}" {
			t.Errorf("%s: %v", name, s.Environment)
		}
		if _, err := os.Stat(filepath.Join(clusterExample, s.Build.Context, s.Build.Dockerfile)); err != nil || s.Image == "" {
			t.Errorf("%s: image %q, %v", name, s.Image, err)
		}
		if len(s.Ports) != 1 || len(s.Volumes) != 1 || !slices.Contains(s.DependsOn, "redis") || s.Restart == "" {
			t.Errorf("%s: %+v", name, s)
			continue
		}
		outside, inside, _ := strings.Cut(s.Ports[0], ":")
		if ports[outside] || inside != image["PORT"] {
			t.Errorf("%s has the port %q", name, s.Ports[0])
		}
		ports[outside] = true
	}
	if len(volumes) != len(file.Volumes) {
		t.Errorf("volumes %v, used are %v", file.Volumes, volumes)
	}
	if image["HEARTH_DATA_DIR"] != "/data" {
		t.Errorf("data is at %q, the volume at /data", image["HEARTH_DATA_DIR"])
	}
}

// An object is what is looked at of those in the manifest. All of it is known.
type object struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string
	Metadata   struct{ Name string }
	Spec       struct {
		Selector  any
		Ports     []servicePort
		Service   string `yaml:"serviceName"`
		Policy    string `yaml:"podManagementPolicy"`
		Replicas  int
		Template  podTemplate
		Templates []struct {
			Metadata struct{ Name string }
			Spec     any
		} `yaml:"volumeClaimTemplates"`
	}
}

type servicePort struct {
	Name       string
	Port       int
	TargetPort string `yaml:"targetPort"`
}

type podTemplate struct {
	Metadata struct{ Labels map[string]string }
	Spec     struct {
		Grace      int `yaml:"terminationGracePeriodSeconds"`
		Containers []struct {
			Name, Image string
			PullPolicy  string `yaml:"imagePullPolicy"`
			Args        []string
			Security    map[string]bool `yaml:"securityContext"`
			Env         []struct {
				Name, Value string
				From        struct {
					Field struct {
						Path string `yaml:"fieldPath"`
					} `yaml:"fieldRef"`
					Secret struct{ Name, Key string } `yaml:"secretKeyRef"`
				} `yaml:"valueFrom"`
			}
			Ports []struct {
				Name string
				Port int `yaml:"containerPort"`
			}
			Probe struct {
				Get struct{ Path, Port string } `yaml:"httpGet"`
			} `yaml:"readinessProbe"`
			Lifecycle struct {
				PreStop struct {
					Exec struct{ Command []string }
				} `yaml:"preStop"`
			}
			Mounts []struct {
				Name string
				Path string `yaml:"mountPath"`
			} `yaml:"volumeMounts"`
		}
	}
}

func TestExampleManifestGivesTheCaddyfileWhatItWants(t *testing.T) {
	harness.Parallel(t)
	objects := make(map[string]object)
	for d := yaml.NewDecoder(strings.NewReader(readExample(t, "kubernetes.yaml"))); ; {
		var o object
		if !decode(t, d, &o) {
			break
		}
		objects[o.Kind+"/"+o.Metadata.Name] = o
	}
	if got := slices.Sorted(maps.Keys(objects)); !slices.Equal(got, []string{"Service/hearth", "Service/redis", "StatefulSet/hearth", "StatefulSet/redis"}) {
		t.Fatalf("objects are %q", got)
	}
	_, image := wanted(t)
	for _, name := range []string{"hearth", "redis"} {
		set, service := objects["StatefulSet/"+name].Spec, objects["Service/"+name].Spec
		labels := set.Template.Metadata.Labels
		if fmt.Sprint(service.Selector) != fmt.Sprint(labels) || fmt.Sprint(set.Selector) != fmt.Sprint(map[string]any{"matchLabels": labels}) || set.Service != name {
			t.Errorf("%s: %v and %v select %v", name, service.Selector, set.Selector, labels)
		}
		if len(set.Template.Spec.Containers) != 1 || len(service.Ports) != 1 || len(set.Templates) != 1 {
			t.Fatalf("%s: %+v", name, set)
		}
		one := set.Template.Spec.Containers[0]
		if len(one.Mounts) != 1 || one.Mounts[0].Name != set.Templates[0].Metadata.Name || one.Mounts[0].Path != "/data" || one.Image == "" {
			t.Errorf("%s: %+v, volumes %+v", name, one, set.Templates)
		}
		ports := make(map[string]int)
		for _, p := range one.Ports {
			ports[p.Name] = p.Port
		}
		if name == "redis" {
			if ports["redis"] != service.Ports[0].Port || !strings.Contains(strings.Join(one.Args, " "), "--appendonly yes") || !strings.Contains(strings.Join(one.Args, " "), "--requirepass $(REDIS_PASSWORD)") || len(one.Env) != 1 {
				t.Errorf("redis: %+v", one)
			}
			continue
		}
		environment := make(map[string]string)
		for _, e := range one.Env {
			environment[e.Name] = e.Value + e.From.Field.Path + e.From.Secret.Key
		}
		wantVariables(t, environment, "POD_IP", "REDIS_PASSWORD")
		if environment["NODE"] != "metadata.name" || environment["POD_IP"] != "status.podIP" || environment["PEER_ADDRESS"] != fmt.Sprint("$(POD_IP):", ports["peers"]) ||
			environment["REDIS_URL"] != fmt.Sprintf("redis://:$(REDIS_PASSWORD)@redis:%d", objects["Service/redis"].Spec.Ports[0].Port) ||
			environment["REDIS_PASSWORD"] != "redis-password" || environment["CLUSTER_SECRET"] != "cluster-secret" {
			t.Errorf("environment %v, ports %v", environment, ports)
		}
		if set.Replicas != 3 || fmt.Sprint(ports["http"]) != image["PORT"] || service.Ports[0].TargetPort != "http" || one.Probe.Get.Port != "http" || one.Probe.Get.Path != "/healthz" {
			t.Errorf("%+v", one)
		}
		if !strings.Contains(strings.Join(one.Lifecycle.PreStop.Exec.Command, " "), "caddy hearth drain") {
			t.Errorf("before it ends: %q", one.Lifecycle.PreStop.Exec.Command)
		}
	}
}
