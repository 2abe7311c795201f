package stacks

import (
	"testing"

	"github.com/hearthfn/hearth/tests/harness"
)

// secureScript has custom resources that answer by https.request, in each way that libraries do it.
// The CDK's take the host and the path of the address alone.
const secureScript = `
code = r"""
const https = require('https');
const put = (body, make) => new Promise((resolve, reject) => {
  const r = make((answer) => { answer.resume(); answer.statusCode === 200 ? resolve() : reject(new Error('status ' + answer.statusCode)); });
  r.on('error', reject);
  r.end(body);
});
exports.handler = async (event) => {
  const { hostname, pathname } = new URL(event.ResponseURL);
  const body = JSON.stringify({ Status: 'SUCCESS', PhysicalResourceId: 'own', StackId: event.StackId, RequestId: event.RequestId, LogicalResourceId: event.LogicalResourceId, Data: { Way: event.ResourceProperties.Way } });
  const options = { hostname, path: pathname, method: 'PUT', headers: { 'content-type': '', 'content-length': Buffer.byteLength(body) } };
  const { request } = await import('node:https');
  const ways = {
    cdk: (done) => https.request(options, done),
    port: (done) => https.request({ ...options, port: 443, protocol: 'https:', agent: new https.Agent() }, done),
    imported: (done) => request(options, done),
    text: (done) => https.request('https://' + hostname + pathname, { method: 'PUT', headers: options.headers }, done),
    url: (done) => https.request(new URL(event.ResponseURL), { method: 'PUT', headers: options.headers }, done),
  };
  // Other requests are made with TLS, as ever: nothing listens on that port.
  const other = await new Promise((resolve) => https.request({ ...options, path: '/hearth-stacks/x' }, () => resolve('answered')).on('error', (e) => resolve(e.code)).end());
  if (other === 'answered') throw new Error('another path was asked without TLS');
  await put(body, ways[event.ResourceProperties.Way]);
};
"""
ways = ["cdk", "port", "imported", "text", "url"]
resources = {"Role": role, "Fn": function("x", FunctionName="answers")}
resources["Fn"]["Properties"]["Code"] = {"ZipFile": code}
for way in ways:
    resources["By" + way] = {"Type": "Custom::Way", "Properties": {"ServiceToken": {"Fn::GetAtt": ["Fn", "Arn"]}, "Way": way, "ServiceTimeout": 60}}
create("secure", {"Resources": resources, "Outputs": {way: {"Value": {"Fn::GetAtt": ["By" + way, "Way"]}} for way in ways}})
settled("secure", "CREATE_COMPLETE")
assert outputs("secure") == {way: way for way in ways}, outputs("secure")
cfn.delete_stack(StackName="secure")
cfn.get_waiter("stack_delete_complete").wait(StackName="secure", WaiterConfig={"Delay": 1})
`

func TestCustomResourcesAnswerByHTTPSToAnAddressWithoutTLS(t *testing.T) {
	harness.Parallel(t)
	newShell(t, "").python(secureScript)
}
