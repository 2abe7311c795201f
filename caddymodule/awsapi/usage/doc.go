// Package usage keeps API keys and usage plans that AWS's API made, and has the plans ready for
// requests.
//
//	usage   key/ID    a Key
//	        plan/ID   a Plan with the IDs of its keys, and the stages that it opens
//
//	apigateway --> Change
//	request    --> Of: the plans that open a stage, as package usageplan has them
//
// Plans follow the changes of this and other nodes. One that did not change goes on with its
// buckets and quotas. While the state cannot be read, what is known goes on; without any, no
// request passes.
//
// The values of keys are in the state as they are, because AWS's API gives them back.
package usage
