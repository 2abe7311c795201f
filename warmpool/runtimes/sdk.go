package runtimes

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Names of the AWS SDKs that Lambda has beside its runtimes, as they are configured and
// installed.
const (
	SDKNode   = "aws-sdk"    // for JavaScript, v3
	SDKNodeV2 = "aws-sdk-v2" // of nodejs16.x and before
	SDKPython = "boto3"
)

// An sdk says where an AWS SDK is.
type sdk struct {
	folder string // below the folder of installations
	within string // the part of it that environments see
	holds  string // a path in it that shows that it is this SDK
}

var sdks = map[string]sdk{
	SDKNode:   {"sdk/nodejs", "node_modules", "@aws-sdk"},
	SDKNodeV2: {"sdk/nodejs-v2", "node_modules", "aws-sdk"},
	SDKPython: {"sdk/python", "", "boto3"},
}

var oldNode = []string{"nodejs4.", "nodejs6.", "nodejs8.", "nodejs10.", "nodejs12.", "nodejs14.", "nodejs16."}

// sdkOf is the name of the SDK that Lambda has beside a runtime, "" for none.
func sdkOf(runtime string) string {
	switch {
	case slices.ContainsFunc(oldNode, func(prefix string) bool { return strings.HasPrefix(runtime, prefix) }):
		return SDKNodeV2
	case strings.HasPrefix(runtime, FamilyNode):
		return SDKNode
	case strings.HasPrefix(runtime, FamilyPython):
		return SDKPython
	}
	return ""
}

// sdkFolder is the folder with the SDK of a runtime, "" when there is none. It is where
// the links end: what an environment has is not replaced when another is installed. It needs mu.
func (f *Finder) sdkFolder(runtime string) string {
	name := sdkOf(runtime)
	if name == "" {
		return ""
	}
	folder, ok := f.configured[name]
	if !ok {
		if f.installed == "" {
			return ""
		}
		folder = filepath.Join(f.installed, sdks[name].folder)
	}
	folder, err := filepath.EvalSymlinks(filepath.Join(folder, sdks[name].within))
	if err != nil {
		return "" // a configured one has been checked at the start
	}
	return folder
}

// checkSDK reports why a configured folder holds no SDK.
func (f *Finder) checkSDK(name string) error {
	path := filepath.Join(f.configured[name], sdks[name].within, sdks[name].holds)
	info, err := os.Stat(path)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s is no folder", path)
	}
	if err != nil {
		return fmt.Errorf("%s is configured to be in %s: %w", name, f.configured[name], err)
	}
	return nil
}

// sdkVersion tells the version of the SDK in a folder that sdkFolder has found.
func sdkVersion(name, folder string) string {
	switch name {
	case SDKNode:
		packages, _ := filepath.Glob(filepath.Join(folder, "@aws-sdk", "client-*")) // the pattern is well-formed
		if len(packages) == 0 {
			return ""
		}
		clients := fmt.Sprintf("%d clients", len(packages))
		if len(packages) == 1 {
			clients = "1 client"
		}
		return packageVersion(packages[0]) + ", " + clients
	case SDKNodeV2:
		return packageVersion(filepath.Join(folder, "aws-sdk"))
	}
	// Of wheels and of Debian's packages.
	for _, pattern := range []string{"boto3-*.dist-info", "boto3-*.egg-info"} {
		found, _ := filepath.Glob(filepath.Join(folder, pattern))
		if len(found) > 0 {
			base := filepath.Base(slices.Max(found))
			return strings.TrimPrefix(strings.TrimSuffix(base, filepath.Ext(base)), "boto3-")
		}
	}
	return ""
}

func packageVersion(folder string) string {
	var m struct {
		Version string `json:"version"`
	}
	text, err := os.ReadFile(filepath.Join(folder, "package.json"))
	if err != nil || json.Unmarshal(text, &m) != nil {
		return "of an unknown version"
	}
	return m.Version
}
