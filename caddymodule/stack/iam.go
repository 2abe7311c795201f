package stack

import (
	"context"
	"encoding/json"
	"slices"
)

// Types of IAM.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_IAM.html

func iamTypes() map[string]*Type {
	return map[string]*Type{
		"AWS::IAM::Role":          iamRole(),
		"AWS::IAM::Policy":        iamPolicy(),
		"AWS::IAM::ManagedPolicy": iamManagedPolicy(),

		"AWS::IAM::InstanceProfile": iamInstanceProfile(),
	}
}

func jsonText(v any) (string, error) {
	if s, ok := v.(string); ok {
		return s, nil
	}
	data, err := json.Marshal(v)
	return string(data), err
}

// texts are the elements of a list.
func texts(v any) (all []string) {
	list, _ := v.([]any)
	for _, one := range list {
		all = append(all, text(one))
	}
	return all
}

// policiesOf are inline policies by name.
func policiesOf(v any) map[string]any {
	list, _ := v.([]any)
	all := make(map[string]any, len(list))
	for _, one := range list {
		if of, ok := one.(map[string]any); ok {
			all[text(of["PolicyName"])] = of["PolicyDocument"]
		}
	}
	return all
}

// iamRole is AWS::IAM::Role.
func iamRole() *Type {
	s := &spec{
		service: "iam", create: "CreateRole", update: "UpdateRole", remove: "DeleteRole", read: "GetRole", named: "RoleName", longest: 64,
		documents: []string{"AssumeRolePolicyDocument"}, required: []string{"AssumeRolePolicyDocument"}, tags: tagList,
		attributes: map[string]string{"Arn": "Role.Arn", "RoleId": "Role.RoleId"}, immutable: []string{"Path"},
		extra:   []string{"ManagedPolicyArns", "Policies", "AssumeRolePolicyDocument", "PermissionsBoundary", "Path"},
		removed: map[string]any{"MaxSessionDuration": 3600},
		undo:    stripRole,
	}
	t := s.typed("AWS::IAM::Role")
	t.create = func(ctx context.Context, w *Work) error {
		input, err := s.input(w, s.create)
		if err != nil {
			return err
		}
		input["RoleName"] = w.ID
		if input["AssumeRolePolicyDocument"], err = jsonText(w.New["AssumeRolePolicyDocument"]); err != nil {
			return err
		}
		for _, name := range []string{"PermissionsBoundary", "Path"} {
			if v, given := w.New[name]; given {
				input[name] = v
			}
		}
		out, err := w.call(ctx, s.service, s.create, input)
		if err != nil {
			return err
		}
		if err := s.took(ctx, w, out); err != nil {
			return err
		}
		return rolePolicies(ctx, w)
	}
	t.update = func(ctx context.Context, w *Work) error {
		if w.differs("Description", "MaxSessionDuration") {
			if err := s.change(ctx, w); err != nil {
				return err
			}
		}
		if w.differs("AssumeRolePolicyDocument") {
			document, err := jsonText(w.New["AssumeRolePolicyDocument"])
			if err != nil {
				return err
			}
			if _, err := w.call(ctx, "iam", "UpdateAssumeRolePolicy", map[string]any{"RoleName": w.ID, "PolicyDocument": document}); err != nil {
				return err
			}
		}
		if w.differs("PermissionsBoundary") {
			operation, input := "DeleteRolePermissionsBoundary", map[string]any{"RoleName": w.ID}
			if arn := w.text("PermissionsBoundary"); arn != "" {
				operation, input["PermissionsBoundary"] = "PutRolePermissionsBoundary", arn
			}
			if _, err := w.call(ctx, "iam", operation, input); err != nil {
				return err
			}
		}
		if err := retagIAM(ctx, w, "Role", "RoleName"); err != nil {
			return err
		}
		return rolePolicies(ctx, w)
	}
	return t
}

// rolePolicies makes the policies of a role those of its properties.
func rolePolicies(ctx context.Context, w *Work) error {
	attached, before := texts(w.New["ManagedPolicyArns"]), texts(w.Old["ManagedPolicyArns"])
	for _, arn := range before {
		if slices.Contains(attached, arn) {
			continue
		}
		if _, err := w.call(ctx, "iam", "DetachRolePolicy", map[string]any{"RoleName": w.ID, "PolicyArn": arn}); err != nil && !isNotFound(err) {
			return err
		}
	}
	for _, arn := range attached {
		if _, err := w.call(ctx, "iam", "AttachRolePolicy", map[string]any{"RoleName": w.ID, "PolicyArn": arn}); err != nil {
			return err
		}
	}
	inline := policiesOf(w.New["Policies"])
	for name := range policiesOf(w.Old["Policies"]) {
		if _, still := inline[name]; still {
			continue
		}
		if _, err := w.call(ctx, "iam", "DeleteRolePolicy", map[string]any{"RoleName": w.ID, "PolicyName": name}); err != nil && !isNotFound(err) {
			return err
		}
	}
	for name, policy := range inline {
		document, err := jsonText(policy)
		if err != nil {
			return err
		}
		if _, err := w.call(ctx, "iam", "PutRolePolicy", map[string]any{"RoleName": w.ID, "PolicyName": name, "PolicyDocument": document}); err != nil {
			return err
		}
	}
	return nil
}

// stripRole removes what keeps a role from being removed: what its properties gave it.
func stripRole(ctx context.Context, w *Work) error {
	for _, arn := range texts(w.Old["ManagedPolicyArns"]) {
		if _, err := w.call(ctx, "iam", "DetachRolePolicy", map[string]any{"RoleName": w.ID, "PolicyArn": arn}); err != nil && !isNotFound(err) {
			return err
		}
	}
	for name := range policiesOf(w.Old["Policies"]) {
		if _, err := w.call(ctx, "iam", "DeleteRolePolicy", map[string]any{"RoleName": w.ID, "PolicyName": name}); err != nil && !isNotFound(err) {
			return err
		}
	}
	return nil
}

// retagIAM changes the tags of something of IAM.
func retagIAM(ctx context.Context, w *Work, what, member string) error {
	if !w.differs("Tags") {
		return nil
	}
	now, _ := tagsOf(w.New["Tags"]).(map[string]any)
	old, _ := tagsOf(w.Old["Tags"]).(map[string]any)
	var gone []any
	for key := range old {
		if _, still := now[key]; !still {
			gone = append(gone, key)
		}
	}
	if len(gone) > 0 {
		if _, err := w.call(ctx, "iam", "Untag"+what, map[string]any{member: w.ID, "TagKeys": gone}); err != nil {
			return err
		}
	}
	if len(now) == 0 {
		return nil
	}
	_, err := w.call(ctx, "iam", "Tag"+what, map[string]any{member: w.ID, "Tags": w.New["Tags"]})
	return err
}

// iamPolicy is AWS::IAM::Policy, an inline policy of roles.
func iamPolicy() *Type {
	s := &spec{
		service: "iam", create: "PutRolePolicy", documents: []string{"PolicyDocument"}, required: []string{"PolicyDocument", "PolicyName"},
		extra: []string{"Roles", "Users", "Groups", "PolicyName"}, foreign: []string{"RoleName"},
		refused: map[string]string{"Users": "there are no users here, only access keys", "Groups": "there are no users here, so there are no groups of them"},
	}
	t := s.typed("AWS::IAM::Policy")
	t.plan = generated
	apply := func(ctx context.Context, w *Work) error {
		roles, name := texts(w.New["Roles"]), w.text("PolicyName")
		for _, role := range texts(w.Old["Roles"]) {
			if slices.Contains(roles, role) && !w.differs("PolicyName") {
				continue
			}
			if _, err := w.call(ctx, "iam", "DeleteRolePolicy", map[string]any{"RoleName": role, "PolicyName": text(w.Old["PolicyName"])}); err != nil && !isNotFound(err) {
				return err
			}
		}
		document, err := jsonText(w.New["PolicyDocument"])
		if err != nil {
			return err
		}
		for _, role := range roles {
			if _, err := w.call(ctx, "iam", "PutRolePolicy", map[string]any{"RoleName": role, "PolicyName": name, "PolicyDocument": document}); err != nil {
				return err
			}
		}
		return nil
	}
	t.create = func(ctx context.Context, w *Work) error {
		w.Attributes["Id"] = w.ID
		return apply(ctx, w)
	}
	t.update, t.replaces = apply, nil
	t.remove = func(ctx context.Context, w *Work) error {
		for _, role := range texts(w.Old["Roles"]) {
			if _, err := w.call(ctx, "iam", "DeleteRolePolicy", map[string]any{"RoleName": role, "PolicyName": text(w.Old["PolicyName"])}); err != nil && !isNotFound(err) {
				return err
			}
		}
		return nil
	}
	return t
}

// iamManagedPolicy is AWS::IAM::ManagedPolicy.
func iamManagedPolicy() *Type {
	s := &spec{
		service: "iam", create: "CreatePolicy", remove: "DeletePolicy", id: "Policy.Arn", member: "PolicyArn",
		documents: []string{"PolicyDocument"}, required: []string{"PolicyDocument"}, tags: tagList,
		attributes: map[string]string{"PolicyArn": "Policy.Arn", "PolicyId": "Policy.PolicyId"},
		extra:      []string{"ManagedPolicyName", "Roles", "Users", "Groups"}, foreign: []string{"PolicyName"},
		refused: map[string]string{"Users": "there are no users here, only access keys", "Groups": "there are no users here, so there are no groups of them"},
		before: func(w *Work, input map[string]any) error {
			if input["PolicyName"] = w.text("ManagedPolicyName"); input["PolicyName"] == "" {
				input["PolicyName"] = w.generate(128)
			}
			return nil
		},
	}
	s.after = func(ctx context.Context, w *Work, _ map[string]any) error { return attachPolicy(ctx, w) }
	s.undo = func(ctx context.Context, w *Work) error {
		w.New = nil
		if err := attachPolicy(ctx, w); err != nil {
			return err
		}
		return dropVersions(ctx, w)
	}
	t := s.typed("AWS::IAM::ManagedPolicy")
	t.replaces = func(w *Work) bool { return w.differs("ManagedPolicyName", "Path", "Description") }
	t.update = func(ctx context.Context, w *Work) error {
		if w.differs("PolicyDocument") {
			document, err := jsonText(w.New["PolicyDocument"])
			if err != nil {
				return err
			}
			if err := dropVersions(ctx, w); err != nil {
				return err
			}
			if _, err := w.call(ctx, "iam", "CreatePolicyVersion", map[string]any{"PolicyArn": w.ID, "PolicyDocument": document, "SetAsDefault": true}); err != nil {
				return err
			}
		}
		if err := retagIAM(ctx, w, "Policy", "PolicyArn"); err != nil {
			return err
		}
		return attachPolicy(ctx, w)
	}
	return t
}

// attachPolicy attaches a managed policy to the roles of its property.
func attachPolicy(ctx context.Context, w *Work) error {
	roles := texts(w.New["Roles"])
	for _, role := range texts(w.Old["Roles"]) {
		if slices.Contains(roles, role) {
			continue
		}
		if _, err := w.call(ctx, "iam", "DetachRolePolicy", map[string]any{"RoleName": role, "PolicyArn": w.ID}); err != nil && !isNotFound(err) {
			return err
		}
	}
	for _, role := range roles {
		if _, err := w.call(ctx, "iam", "AttachRolePolicy", map[string]any{"RoleName": role, "PolicyArn": w.ID}); err != nil {
			return err
		}
	}
	return nil
}

// dropVersions removes the versions of a managed policy that are not its default.
func dropVersions(ctx context.Context, w *Work) error {
	out, err := w.call(ctx, "iam", "ListPolicyVersions", map[string]any{"PolicyArn": w.ID})
	if err != nil {
		if isNotFound(err) {
			return nil
		}
		return err
	}
	versions, _ := out["Versions"].([]any)
	for _, one := range versions {
		of, _ := one.(map[string]any)
		if text(of["IsDefaultVersion"]) == "true" {
			continue
		}
		if _, err := w.call(ctx, "iam", "DeletePolicyVersion", map[string]any{"PolicyArn": w.ID, "VersionId": of["VersionId"]}); err != nil && !isNotFound(err) {
			return err
		}
	}
	return nil
}

// iamInstanceProfile is AWS::IAM::InstanceProfile.
func iamInstanceProfile() *Type {
	s := &spec{
		service: "iam", create: "CreateInstanceProfile", remove: "DeleteInstanceProfile", read: "GetInstanceProfile", named: "InstanceProfileName", longest: 128,
		attributes: map[string]string{"Arn": "InstanceProfile.Arn"}, extra: []string{"Roles"}, required: []string{"Roles"},
	}
	roles := func(ctx context.Context, w *Work, operation string, names []string) error {
		for _, name := range names {
			_, err := w.call(ctx, "iam", operation, map[string]any{"InstanceProfileName": w.ID, "RoleName": name})
			if err != nil && (operation != "RemoveRoleFromInstanceProfile" || !isNotFound(err)) {
				return err
			}
		}
		return nil
	}
	s.undo = func(ctx context.Context, w *Work) error {
		return roles(ctx, w, "RemoveRoleFromInstanceProfile", texts(w.Old["Roles"]))
	}
	s.after = func(ctx context.Context, w *Work, _ map[string]any) error {
		return roles(ctx, w, "AddRoleToInstanceProfile", texts(w.New["Roles"]))
	}
	t := s.typed("AWS::IAM::InstanceProfile")
	t.replaces = func(w *Work) bool { return w.differs("InstanceProfileName", "Path") }
	t.update = func(ctx context.Context, w *Work) error {
		if err := roles(ctx, w, "RemoveRoleFromInstanceProfile", texts(w.Old["Roles"])); err != nil {
			return err
		}
		if err := roles(ctx, w, "RemoveRoleFromInstanceProfile", texts(w.New["Roles"])); err != nil { // a crash may have left it
			return err
		}
		return roles(ctx, w, "AddRoleToInstanceProfile", texts(w.New["Roles"]))
	}
	return t
}
