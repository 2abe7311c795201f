package stack

import "context"

// sessionName is what CloudFormation calls its sessions of roles that stacks were given.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-iam-servicerole.html
const sessionName = "AWSCloudFormation"

// acting is who asks for an operation, with the role of an ARN that its calls are made as. A role
// that is not here is not asked: the calls are made as who asks, who may do no more by it.
func (e *Engine) acting(ctx context.Context, by Identity, roleARN string) (Identity, error) {
	by.As = nil
	if find := e.Services().Role; find != nil && roleARN != "" {
		role, trusts, err := find(ctx, roleARN)
		if err != nil {
			return by, err
		}
		if role != nil {
			if !trusts {
				return by, invalid("Role %s is invalid or cannot be assumed", roleARN)
			}
			role.Session, by.As = sessionName, role
		}
	}
	return by, nil
}

// actor is who the calls of an operation are made as.
func (i Identity) actor() Identity {
	if i.As != nil {
		i.Role, i.As = i.As, nil
	}
	return i
}
