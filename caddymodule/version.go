package caddymodule

import "runtime/debug"

// version is set by the build: -ldflags "-X github.com/hearthfn/hearth/caddymodule.version=v1.2.3".
var version string

// Version is the version of Hearth in this program: that of the build, or of the module, as
// xcaddy builds it.
func Version() string {
	if version != "" {
		return version
	}
	const module = "github.com/hearthfn/hearth"
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, dep := range append(info.Deps, &info.Main) {
			if dep.Path == module && dep.Version != "" {
				return dep.Version
			}
		}
	}
	return "unknown"
}
