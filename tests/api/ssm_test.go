package api

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hearthfn/hearth/tests/harness"
)

// ssmScript keeps parameters, and is refused as AWS refuses. It leaves a few.
const ssmScript = botoStart + `
ssm = boto3.client("ssm", config=once)
assert ssm.put_parameter(Name="/shop/dev/url", Value="https://a", Type="String", Description="d", Tags=[{"Key": "team", "Value": "a b"}])["Version"] == 1
got = ssm.get_parameter(Name="/shop/dev/url")["Parameter"]
arn = "arn:aws:ssm:us-east-1:000000000000:parameter/shop/dev/url"
assert (got["Value"], got["Type"], got["Version"], got["ARN"], got["DataType"]) == ("https://a", "String", 1, arn, "text") and got["LastModifiedDate"].tzinfo, got
refused("ParameterAlreadyExists", "already exists", ssm.put_parameter, Name="/shop/dev/url", Value="b", Type="String")
assert ssm.put_parameter(Name="/shop/dev/url", Value="https://b", Overwrite=True) ["Version"] == 2
assert ssm.get_parameter(Name=arn + ":2")["Parameter"]["Value"] == "https://b"
assert ssm.get_parameter(Name="/shop/dev/url:2")["Parameter"]["Selector"] == ":2"
refused("ParameterVersionNotFound", "version 1 of", ssm.get_parameter, Name="/shop/dev/url:1")
refused("ParameterNotFound", "/none not found", ssm.get_parameter, Name="/none")
refused("HierarchyTypeMismatchException", "is a String", ssm.put_parameter, Name="/shop/dev/url", Value="b", Type="StringList", Overwrite=True)

ssm.put_parameter(Name="plain", Value="a,b", Type="StringList")
assert ssm.get_parameter(Name="arn:aws:ssm:us-east-1:000000000000:parameter/plain")["Parameter"]["Value"] == "a,b"
ssm.put_parameter(Name="/shop/key", Value="top secret", Type="SecureString")
ssm.put_parameter(Name="/shop/large", Value="x" * 8192, Type="String", Tier="Intelligent-Tiering")
got = ssm.get_parameter(Name="/shop/key")["Parameter"]
assert got["Type"] == "SecureString" and "secret" not in got["Value"], got
assert ssm.get_parameter(Name="/shop/key", WithDecryption=True)["Parameter"]["Value"] == "top secret"

some = ssm.get_parameters(Names=["/shop/key", "/none", "plain:1", "plain:9"], WithDecryption=True)
assert [p["Value"] for p in some["Parameters"]] == ["top secret", "a,b"] and some["InvalidParameters"] == ["/none", "plain:9"], some
for n in range(12):
    ssm.put_parameter(Name="/list/%02d/x" % n, Value="v", Type="String")
names = lambda pages: [[p["Name"] for p in page["Parameters"]] for page in pages]
pages = names(ssm.get_paginator("get_parameters_by_path").paginate(Path="/list", Recursive=True))
assert [len(p) for p in pages] == [10, 2] and pages[1] == ["/list/10/x", "/list/11/x"], pages
assert names(ssm.get_paginator("get_parameters_by_path").paginate(Path="/list")) == [[]]
assert names([ssm.get_parameters_by_path(Path="/shop/")]) == [["/shop/key", "/shop/large"]]
assert names([ssm.get_parameters_by_path(Path="/")]) == [["plain"]]
assert names([ssm.get_parameters_by_path(Path="/shop", Recursive=True, ParameterFilters=[{"Key": "Type", "Values": ["SecureString"]}])]) == [["/shop/key"]]

def described(*filters):
    return names(ssm.get_paginator("describe_parameters").paginate(ParameterFilters=list(filters), PaginationConfig={"PageSize": 2}))
assert described({"Key": "Name", "Values": ["/shop/key", "plain"]}) == [["/shop/key", "plain"]]
assert described({"Key": "Name", "Option": "BeginsWith", "Values": ["/shop"]}) == [["/shop/dev/url", "/shop/key"], ["/shop/large"]]
assert described({"Key": "Path", "Option": "OneLevel", "Values": ["/shop"]}) == [["/shop/key", "/shop/large"]]
assert described({"Key": "tag:team", "Values": ["a b"]}) == [["/shop/dev/url"]]
assert described({"Key": "Tier", "Values": ["Advanced"]}) == [["/shop/large"]]
d = ssm.describe_parameters(Filters=[{"Key": "Name", "Values": ["/shop/dev"]}])["Parameters"]
assert d[0]["Description"] == "d" and d[0]["Version"] == 2 and "Value" not in d[0], d

ssm.add_tags_to_resource(ResourceType="Parameter", ResourceId="plain", Tags=[{"Key": "b", "Value": "2"}, {"Key": "a", "Value": "1"}])
ssm.remove_tags_from_resource(ResourceType="Parameter", ResourceId="plain", TagKeys=["b"])
assert ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId="plain")["TagList"] == [{"Key": "a", "Value": "1"}]
assert ssm.get_parameter(Name="plain")["Parameter"]["Version"] == 1

for code, text, args in [
    ("ValidationException", "A parameter type is required", dict(Name="n", Value="v")),
    ("ValidationException", "fully qualified", dict(Name="a/b", Value="v", Type="String")),
    ("ValidationException", "can't be prefixed with", dict(Name="ssm-a", Value="v", Type="String")),
    ("ValidationException", "can't be prefixed with", dict(Name="/a b", Value="v", Type="String")),
    ("AccessDeniedException", "reserved parameter name", dict(Name="/aws/a", Value="v", Type="String")),
    ("HierarchyLevelLimitExceededException", "15 levels", dict(Name="/a" * 16, Value="v", Type="String")),
    ("ValidationException", "up to 250 characters", dict(Name="a" * 251, Value="v", Type="String")),
    ("ValidationException", "maximum parameter value of 4096 characters", dict(Name="n", Value="v" * 4097, Type="String")),
    ("ValidationException", "maximum parameter value of 8192 characters", dict(Name="n", Value="v" * 8193, Type="String", Tier="Advanced")),
    ("ValidationException", "Value 'Else' at 'type' failed to satisfy constraint: Member must satisfy enum value set", dict(Name="n", Value="v", Type="Else")),
    ("ValidationException", "DataType aws:ec2:image is not supported", dict(Name="n", Value="v", Type="String", DataType="aws:ec2:image")),
    ("InvalidPolicyTypeException", "do not expire", dict(Name="n", Value="v", Type="String", Tier="Advanced", Policies='[{"Type":"Expiration"}]')),
    ("InvalidKeyId", "there is no KMS here", dict(Name="n", Value="v", Type="SecureString", KeyId="alias/mine")),
    ("ParameterPatternMismatchException", "allowedPattern", dict(Name="n", Value="v", Type="String", AllowedPattern="^[0-9]+$")),
    ("InvalidAllowedPatternException", "regular expression", dict(Name="n", Value="v", Type="String", AllowedPattern="(")),
    ("ValidationException", "tags and overwrite", dict(Name="plain", Value="v", Overwrite=True, Tags=[{"Key": "a", "Value": ""}])),
]:
    refused(code, text, ssm.put_parameter, **args)
refused("InvalidFilterKey", "Label", ssm.describe_parameters, ParameterFilters=[{"Key": "Label", "Values": ["x"]}])
refused("InvalidFilterOption", "not valid: Else", ssm.describe_parameters, ParameterFilters=[{"Key": "Type", "Option": "Else", "Values": ["x"]}])
refused("InvalidResourceId", "not valid", ssm.list_tags_for_resource, ResourceType="Parameter", ResourceId="none")
refused("InvalidResourceType", "parameters alone", ssm.list_tags_for_resource, ResourceType="Document", ResourceId="none")
refused("UnknownOperationException", "GetParameterHistory is not supported: this server keeps the current version", ssm.get_parameter_history, Name="plain")
refused("UnknownOperationException", "SendCommand is not supported: of Systems Manager this server has the Parameter Store alone", ssm.send_command, DocumentName="d")
reader = boto3.client("ssm", config=once, aws_access_key_id="reader", aws_secret_access_key="only-for-reading-0")
reader.get_parameter(Name="plain")
refused("AccessDeniedException", "ssm:DeleteParameter because its access key is read-only", reader.delete_parameter, Name="plain")

ssm.delete_parameter(Name="plain")
refused("ParameterNotFound", "plain not found", ssm.delete_parameter, Name="plain")
gone = ssm.delete_parameters(Names=["/list/00/x", "/none"])
assert gone["DeletedParameters"] == ["/list/00/x"] and gone["InvalidParameters"] == ["/none"], gone
print("finished")
`

func TestParametersAreKept(t *testing.T) {
	harness.Parallel(t)
	a := harness.NewAPI(t, "access_key reader only-for-reading-0 read_only\n", "")
	s := newShell(a)
	s.write("script.py", []byte(ssmScript))
	s.want(s.run(botoPython(t), "script.py"), "finished")
	a.Stop()
	// What is no secret is in the files of the state as it is.
	found := false
	a.Check(filepath.WalkDir(filepath.Join(a.Dir, "data"), func(path string, entry os.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		found = found || strings.Contains(string(content), "https://b")
		if strings.Contains(string(content), "top secret") {
			t.Errorf("%s has the secret", path)
		}
		return err
	}))
	if !found {
		t.Error("the parameters are nowhere")
	}
	a.Restart()
	s.want(s.run("aws", "ssm", "get-parameter", "--name", "/shop/key", "--with-decryption", "--query", "Parameter.Value", "--output", "text"), "top secret")
}
