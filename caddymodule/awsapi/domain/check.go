package domain

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strings"
)

var (
	hostLabel = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	// https://docs.aws.amazon.com/apigateway/latest/developerguide/rest-api-mappings.html
	baseSegment = regexp.MustCompile(`^[A-Za-z0-9$\-_.+!*'()]+$`)
)

// maxName and maxKey are the most bytes of a name and of a base path.
const (
	maxName = 253
	maxKey  = 300
)

// CheckName checks a name, which is in small letters.
func CheckName(name string) error {
	labels := strings.Split(name, ".")
	switch {
	case strings.Contains(name, "*"):
		return errors.New("names with a star are not supported: Caddy has a certificate for each name that is there")
	case len(name) > maxName || len(labels) < 2:
		return fmt.Errorf("a domain name has at least two labels and at most %d bytes", maxName)
	}
	for _, label := range labels {
		if !hostLabel.MatchString(label) {
			return errors.New("a domain name has labels of small letters, digits and hyphens")
		}
	}
	if _, err := netip.ParseAddr(name); err == nil {
		return errors.New("an IP address is no domain name")
	}
	return nil
}

// CheckKey checks a base path. Only several says that it may have more than one segment.
func CheckKey(key string, several bool) error {
	if key == "" {
		return nil
	}
	segments := strings.Split(key, "/")
	if len(key) > maxKey || len(segments) > 1 && !several {
		return fmt.Errorf("a base path has one segment and at most %d bytes", maxKey)
	}
	for _, segment := range segments {
		if !baseSegment.MatchString(segment) || strings.Trim(segment, ".") == "" {
			return errors.New("a base path has letters, digits and $-_.+!*'() between its slashes")
		}
	}
	return nil
}
