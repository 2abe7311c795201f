// Package schema checks JSON by the models of an API, which are JSON schemas of draft 4, 6 or 7.
//
//	model ──▶ jsonschema (reads: metaschema, $ref, ids, formats) ──▶ node ──▶ Check(body)
//
// The module santhosh-tekuri/jsonschema reads the schemas. The check of a body is of this package,
// because it counts its steps: a schema that comes back to itself by two branches of anyOf takes
// twice as long for each level of a body, so that a client could keep a core busy with one small
// request. A body that needs more than its steps is refused.
//
// A $ref leads to a place in the same model or to another model of the API,
// https://apigateway.amazonaws.com/restapis/ID/models/NAME. Nothing is fetched.
//
// https://docs.aws.amazon.com/apigateway/latest/developerguide/models-mappings-models.html
package schema
