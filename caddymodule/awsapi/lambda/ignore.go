package lambda

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"go.uber.org/zap"

	"github.com/hearthfn/hearth/warmpool/function/registry"
)

// ignorable are the settings that the operator may choose to store and give back although
// Hearth does not act on them, by their names in the Caddyfile.
var ignorable = map[string]struct{ member, why string }{
	"vpc_config":             {"VpcConfig", "functions use the network of this machine."},
	"kms_key_arn":            {"KMSKeyArn", "there is no KMS here; encrypt the disk of this machine."},
	"source_kms_key_arn":     {"SourceKMSKeyArn", "there is no KMS here; encrypt the disk of this machine."},
	"file_system_configs":    {"FileSystemConfigs", "there is no EFS here."},
	"architectures":          {"Architectures", "this machine is " + architecture() + "."},
	"tenancy_config":         {"TenancyConfig", "there is no tenant isolation here."},
	"mapping_logging_config": {"LoggingConfig of an event source mapping", "what pollers do is in the server's log."},
	"metrics_config":         {"MetricsConfig", "see the server's /metrics."},
	"runtime_management":     {"UpdateRuntimeOn Manual", "functions run on the interpreters that are installed on this machine."},
	"certificate_arn":        {"CertificateArn of a custom domain name", "Caddy has a certificate of its own for each name."},
	"tracing_config":         {"TracingConfig", "no traces are sent."}, // is never refused
}

// CheckIgnore says whether names are settings that can be ignored.
func CheckIgnore(names []string) error {
	for _, name := range names {
		if _, ok := ignorable[name]; !ok {
			return fmt.Errorf("ignore: there is no setting %q that can be; there are %s", name, strings.Join(slices.Sorted(maps.Keys(ignorable)), ", "))
		}
	}
	return nil
}

// ignored remembers which settings the log tells of.
type ignored struct {
	mu     sync.Mutex
	warned map[string]bool // by name; guarded by mu
}

// ignore refuses a setting that nothing here acts on, unless the configuration has it
// ignored: then the log tells it once.
func (a *API) ignore(name, of string) error {
	setting := ignorable[name]
	if name != "tracing_config" && !slices.Contains(a.Ignore, name) {
		return invalid(setting.member + " is not supported: " + setting.why + " (The option `ignore " + name + "` of this server has it kept and not acted on.)")
	}
	a.ignored.mu.Lock()
	defer a.ignored.mu.Unlock()
	if !a.ignored.warned[name] {
		if a.ignored.warned == nil {
			a.ignored.warned = make(map[string]bool)
		}
		a.ignored.warned[name] = true
		a.Log.Warn("a setting is kept and given back, and nothing acts on it", zap.String("setting", setting.member), zap.String("function", of))
	}
	return nil
}

// applyIgnored puts the settings that are ignored over a configuration.
func (s *settings) applyIgnored(c *registry.Configuration) {
	if v := s.VpcConfig; v != nil {
		c.VpcConfig = &registry.VpcConfig{SubnetIDs: v.SubnetIds, SecurityGroupIDs: v.SecurityGroupIds, IPv6AllowedForDualStack: v.Ipv6AllowedForDualStack}
	}
	set(&c.KMSKeyArn, s.KMSKeyArn)
	if s.FileSystemConfigs != nil {
		c.FileSystems = nil
		for _, f := range s.FileSystemConfigs {
			c.FileSystems = append(c.FileSystems, registry.FileSystem{ARN: f.Arn, LocalMountPath: f.LocalMountPath})
		}
	}
}

type (
	vpcConfig struct {
		SubnetIds, SecurityGroupIds []string
		VpcId                       string // of a VPC that nobody knows here
		Ipv6AllowedForDualStack     bool
	}
	fileSystem    struct{ Arn, LocalMountPath string }
	tenancyConfig struct{ TenantIsolationMode string }
)

// showIgnored puts the ignored settings into an answer.
func (c *configuration) showIgnored(v *registry.Version) {
	if v := v.VpcConfig; v != nil {
		c.VpcConfig = &vpcConfig{SubnetIds: list(v.SubnetIDs), SecurityGroupIds: list(v.SecurityGroupIDs), Ipv6AllowedForDualStack: v.IPv6AllowedForDualStack}
	}
	c.KMSKeyArn = v.KMSKeyArn
	for _, f := range v.FileSystems {
		c.FileSystemConfigs = append(c.FileSystemConfigs, fileSystem{f.ARN, f.LocalMountPath})
	}
	if v.TenantIsolationMode != "" {
		c.TenancyConfig = &tenancyConfig{v.TenantIsolationMode}
	}
}

// list is an empty list where there is none.
func list(of []string) []string {
	if of == nil {
		return []string{}
	}
	return of
}
