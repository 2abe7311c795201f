package harness

import (
	"os/exec"
	"path/filepath"
	"testing"
)

// TerraformPlugins is the folder that has Terraform's AWS provider. Only Terraform's own registry
// has that and the program, so a machine without them skips the test.
func TerraformPlugins(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("terraform"); err != nil {
		t.Skip("terraform is not on this machine")
	}
	for _, folder := range []string{"/opt/tf-plugins", "/usr/local/share/terraform/plugins", "/usr/share/terraform/plugins"} {
		if found, _ := filepath.Glob(folder + "/registry.terraform.io/hashicorp/aws/*"); len(found) > 0 {
			return folder
		}
	}
	t.Skip("terraform's AWS provider is not on this machine")
	return ""
}
