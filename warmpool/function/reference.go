package function

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/arn"
)

// The errors for a reference to something that this node does not have.
var (
	ErrOtherAccount = errors.New("of another account")
	ErrOtherRegion  = errors.New("not reachable in this region")
	ErrLongName     = errors.New("a name has 64 characters at most")
)

const maxName = 64

// The parts of a reference as the service model's FunctionName has them.
var (
	partitionPattern = regexp.MustCompile(`^(aws[a-zA-Z-]*)?$`)
	regionPattern    = regexp.MustCompile(`^(eusc-)?[a-z]{2}(-gov|-iso[a-z]?)?-[a-z]+-[0-9]$`)
	accountPattern   = regexp.MustCompile(`^[0-9]{12}$`)
	layerPattern     = regexp.MustCompile(`^[a-zA-Z0-9-_]{1,140}$`)
)

// Parse reads what AWS takes for a function: a name, a partial or a full ARN, each
// with a qualifier or without; qualifier is "" then. Of another account or region
// it is ErrOtherAccount or ErrOtherRegion.
// https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
func (a Account) Parse(s string) (name, qualifier string, err error) {
	parts := strings.Split(s, ":")
	region, account := a.Region, a.ID
	if parts[0] == "arn" && len(parts) > 2 {
		whole := s
		if len(parts) == 6 && parts[5] == "function" {
			whole += ":function" // AWS takes the kind for the name
		}
		if region, account, parts, err = splitARN(whole, "function"); err != nil {
			return "", "", fmt.Errorf("function %.200q: %w", s, err)
		}
	} else {
		// Each part of a partial ARN may be missing from the left; the last one is
		// always a name.
		if len(parts) > 1 && regionPattern.MatchString(parts[0]) {
			region, parts = parts[0], parts[1:]
		}
		if len(parts) > 1 && accountPattern.MatchString(parts[0]) {
			account, parts = parts[0], parts[1:]
		}
		if len(parts) > 1 && parts[0] == "function" {
			parts = parts[1:]
		}
	}
	if len(parts) > 2 {
		return "", "", fmt.Errorf("function %.200q: neither a name nor an ARN of a function", s)
	}
	if len(parts[0]) > maxName && layerPattern.MatchString(parts[0]) {
		return parts[0], "", fmt.Errorf("function name %.200q: %w", parts[0], ErrLongName)
	}
	if !ValidName(parts[0]) {
		return "", "", fmt.Errorf("function name %.200q: 1 to 64 letters, digits, hyphens and underscores are allowed", parts[0])
	}
	if len(parts) == 2 {
		if qualifier = parts[1]; !ValidQualifier(qualifier) {
			return "", "", fmt.Errorf("function %q: qualifier %.200q: $LATEST, a version number or an alias is allowed", parts[0], qualifier)
		}
	}
	return parts[0], qualifier, a.reach("function "+parts[0], account, region)
}

// reach says whether something of account and region is here.
func (a Account) reach(what, account, region string) error {
	switch {
	case region != a.Region:
		return fmt.Errorf("%s: functions from '%s' are %w ('%s')", what, region, ErrOtherRegion, a.Region)
	case account != a.ID:
		return fmt.Errorf("%s: account %s: %w", what, account, ErrOtherAccount)
	}
	return nil
}

// splitARN returns what follows arn:PARTITION:lambda:REGION:ACCOUNT:KIND: in parts.
func splitARN(s, kind string) (region, account string, rest []string, err error) {
	a, err := arn.Parse(s)
	name, ofKind := strings.CutPrefix(a.Resource, kind+":")
	if err != nil || !partitionPattern.MatchString(a.Partition) || a.Service != "lambda" ||
		!regionPattern.MatchString(a.Region) || !accountPattern.MatchString(a.AccountID) || !ofKind {
		return "", "", nil, fmt.Errorf("not an ARN of the form arn:aws:lambda:REGION:ACCOUNT:%s:NAME", kind)
	}
	return a.Region, a.AccountID, strings.Split(name, ":"), nil
}

// LayerARN is the ARN of a layer, or with a version that is not 0 of one of its
// versions.
func (a Account) LayerARN(name string, version uint64) string {
	arn := "arn:aws:lambda:" + a.Region + ":" + a.ID + ":layer:" + name
	if version != 0 {
		arn += ":" + strconv.FormatUint(version, 10)
	}
	return arn
}

// ParseLayer reads the name or the ARN of a layer or, with a version, of one of its
// versions; version is 0 if it names none. Of another account or region it is
// ErrOtherAccount or ErrOtherRegion.
// https://docs.aws.amazon.com/lambda/latest/api/API_GetLayerVersionByArn.html
func (a Account) ParseLayer(s string) (name string, version uint64, err error) {
	parts := strings.Split(s, ":")
	region, account := a.Region, a.ID
	if len(parts) > 1 {
		if region, account, parts, err = splitARN(s, "layer"); err != nil {
			return "", 0, fmt.Errorf("layer %.200q: %w", s, err)
		}
	}
	if len(parts) > 2 || !layerPattern.MatchString(parts[0]) {
		return "", 0, fmt.Errorf("layer %.200q: neither a name nor an ARN of a layer", s)
	}
	if len(parts) == 2 {
		version, err = strconv.ParseUint(parts[1], 10, 63)
		if err != nil || version == 0 || strconv.FormatUint(version, 10) != parts[1] {
			return "", 0, fmt.Errorf("layer %q: version %.80q: a number from 1", parts[0], parts[1])
		}
	}
	return parts[0], version, a.reach("layer "+parts[0], account, region)
}
