package template

import (
	"regexp"
	"strings"
)

// Reference is a dynamic reference, {{resolve:SERVICE:...}}.
type Reference struct {
	// Service is ssm, ssm-secure or secretsmanager.
	Service string
	// Name is that of the parameter, or the name or ARN of the secret.
	Name string
	// Version is that of the parameter; empty for the newest.
	Version string
	// JSONKey is the member of the secret that is asked for; empty for the whole.
	JSONKey                 string
	VersionStage, VersionID string
}

var (
	dynamicReference = regexp.MustCompile(`\{\{resolve:([^{}]*)\}\}`)
	digits           = regexp.MustCompile(`^[0-9]+$`)
	secretTail       = regexp.MustCompile(`^(.+?):SecretString(?::(.*))?$`)
)

// replaceDynamic replaces the dynamic references in text.
func (e *evaluator) replaceDynamic(text string) (any, error) {
	if !strings.Contains(text, "{{resolve:") {
		return text, nil
	}
	var failed error
	result := dynamicReference.ReplaceAllStringFunc(text, func(found string) string {
		if failed != nil {
			return ""
		}
		var value string
		reference, err := readReference(found)
		if err == nil {
			value, err = e.plan.resolveDynamic(reference, found)
		}
		if err == nil {
			err = e.charge(value)
		}
		failed = err
		return value
	})
	return result, failed
}

func (p *Plan) resolveDynamic(reference Reference, found string) (string, error) {
	if p.input.Dynamic == nil {
		return "", errorf("Dynamic references are not supported here: [%s]", found)
	}
	value, err := p.input.Dynamic(reference)
	if err == nil && reference.Service != "ssm" {
		p.secrets.add(value)
	}
	return value, err
}

func readReference(found string) (Reference, error) {
	service, rest, _ := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(found, "{{resolve:"), "}}"), ":")
	reference := Reference{Service: service}
	switch service {
	case "ssm", "ssm-secure":
		// The name may be an ARN, with colons in it.
		reference.Name = rest
		if at := strings.LastIndexByte(rest, ':'); at >= 0 && digits.MatchString(rest[at+1:]) {
			reference.Name, reference.Version = rest[:at], rest[at+1:]
		}
		if reference.Name == "" || strings.HasSuffix(reference.Name, ":") {
			return reference, errorf("Incorrect format is used in the following SSM reference: [%s]", found)
		}
		return reference, nil
	case "secretsmanager":
		reference.Name = rest
		if parts := secretTail.FindStringSubmatch(rest); parts != nil {
			reference.Name = parts[1]
			tail := strings.Split(parts[2], ":")
			if len(tail) > 3 {
				return reference, errorf("Incorrect format is used in the following Secrets Manager reference: [%s]", found)
			}
			tail = append(tail, "", "")
			reference.JSONKey, reference.VersionStage, reference.VersionID = tail[0], tail[1], tail[2]
		}
		if reference.Name == "" || !strings.HasPrefix(reference.Name, "arn:") && strings.Contains(reference.Name, ":") ||
			reference.VersionStage != "" && reference.VersionID != "" {
			return reference, errorf("Incorrect format is used in the following Secrets Manager reference: [%s]", found)
		}
		return reference, nil
	}
	return reference, errorf("Invalid dynamic reference %s: the service must be ssm, ssm-secure or secretsmanager", found)
}
