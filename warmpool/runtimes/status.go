package runtimes

import (
	"path/filepath"
	"strings"
)

// A Status says what of a runtime is on this machine.
type Status struct {
	Runtime string `json:"runtime"`
	Program string `json:"program,omitempty"` // e.g. "Node.js 22.23.5"; "" when nothing serves it
	Path    string `json:"path,omitempty"`
	Nearest bool   `json:"nearest,omitempty"` // the program is of another version than the runtime names
	SDK     string `json:"sdk,omitempty"`     // e.g. "aws-sdk 3.1169.0, 370 clients"
	SDKPath string `json:"sdk_path,omitempty"`
	Missing string `json:"missing,omitempty"` // what Lambda has and this machine has not
	Install string `json:"install,omitempty"` // the command that brings it
}

// installCommand is what brings a runtime and its SDK.
const installCommand = "caddy hearth runtimes install "

// installs is the command that brings the version that a runtime names, with what
// follows; "" when there is none that would serve it.
func installs(runtime, then string) string {
	if _, _, err := Named(runtime); err != nil {
		return ""
	}
	return installCommand + runtime + then
}

// Statuses returns the status of every runtime, except of those whose functions bring their own
// program.
func (f *Finder) Statuses() []Status {
	var all []Status
	for _, runtime := range supported {
		if !strings.HasPrefix(runtime, FamilyCustom) {
			all = append(all, f.status(runtime))
		}
	}
	return all
}

func (f *Finder) status(runtime string) Status {
	s := Status{Runtime: runtime}
	var missing, install []string
	in, warning, err := f.Find(runtime)
	switch {
	case err != nil:
		missing, install = []string{"an interpreter"}, []string{runtime}
	default:
		s.Program, s.Path = families[in.Family].name+" "+in.Version, in.Path
		if s.Nearest = warning != ""; s.Nearest {
			if _, _, err := Named(runtime); err == nil { // else there is none that would serve it
				missing, install = []string{"its version of " + families[in.Family].name}, []string{runtime}
			}
		}
	}
	if name := sdkOf(runtime); name != "" {
		folder, version := in.SDK, ""
		if folder != "" {
			version = sdkVersion(name, folder)
		} else if name == SDKPython {
			folder, version = machineBoto3(in)
		}
		if version != "" {
			s.SDK, s.SDKPath = name+" "+version, folder
		} else {
			missing, install = append(missing, name), append(install, name)
		}
	}
	s.Missing = strings.Join(missing, ", ")
	if len(install) > 0 {
		s.Install = installCommand + strings.Join(install, " ")
	}
	return s
}

// machineBoto3 is boto3 among the packages of a Python.
func machineBoto3(in Interpreter) (folder, version string) {
	if in.Path == "" {
		return "", ""
	}
	v, _ := parseVersion(in.Version)
	prefix := filepath.Dir(filepath.Dir(in.Path))
	for _, folder := range []string{
		"/usr/local/lib/python" + v.String() + "/dist-packages", "/usr/lib/python3/dist-packages",
		filepath.Join(prefix, "lib", "python"+v.String(), "site-packages"),
	} {
		if strings.HasSuffix(folder, "dist-packages") && prefix != "/usr" {
			continue // of Debian's own Python
		}
		if version := sdkVersion(SDKPython, folder); version != "" {
			return folder, version
		}
	}
	return "", ""
}
