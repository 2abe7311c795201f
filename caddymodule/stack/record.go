package stack

import (
	"strings"
	"time"
)

// Statuses of stacks and resources are made of what is done and how far it is.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html
const (
	InReview           = "REVIEW_IN_PROGRESS"
	Creating           = "CREATE_IN_PROGRESS"
	Created            = "CREATE_COMPLETE"
	CreateFailed       = "CREATE_FAILED"
	RollingBack        = "ROLLBACK_IN_PROGRESS"
	RolledBack         = "ROLLBACK_COMPLETE"
	RollbackFailed     = "ROLLBACK_FAILED"
	Updating           = "UPDATE_IN_PROGRESS"
	Updated            = "UPDATE_COMPLETE"
	UpdateFailed       = "UPDATE_FAILED"
	UpdateCleanup      = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"
	UndoingUpdate      = "UPDATE_ROLLBACK_IN_PROGRESS"
	UndoneUpdate       = "UPDATE_ROLLBACK_COMPLETE"
	UndoFailed         = "UPDATE_ROLLBACK_FAILED"
	UndoCleanup        = "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS"
	Deleting           = "DELETE_IN_PROGRESS"
	Deleted            = "DELETE_COMPLETE"
	DeleteFailed       = "DELETE_FAILED"
	DeleteSkipped      = "DELETE_SKIPPED"
	stackType          = "AWS::CloudFormation::Stack"
	notUpdatable       = "_IN_PROGRESS"
	cancelledOperation = "Resource creation cancelled"
)

// A Tag of a stack is given to the resources that have tags.
type Tag struct{ Key, Value string }

// A Parameter is what a stack was given. Resolved is the value of a parameter of SSM.
type Parameter struct {
	ParameterKey, ParameterValue string
	ResolvedValue                string `json:",omitempty"`
}

// An Output is a value that a stack gives away.
type Output struct {
	OutputKey, OutputValue string
	Description            string `json:",omitempty"`
	ExportName             string `json:",omitempty"`
}

// A Version is what an operation changes of a stack as a whole.
type Version struct {
	Description  string      `json:",omitempty"`
	Template     string      // name of the record with the template
	Original     string      // name of the record with the template before transforms
	Parameters   []Parameter `json:",omitempty"` // as they are shown
	Given                    // of parameters
	Imports      []string    `json:",omitempty"` // names of exports of other stacks
	Tags         []Tag       `json:",omitempty"`
	Capabilities []string    `json:",omitempty"`
	Outputs      []Output    `json:",omitempty"`
	RoleARN      string      `json:",omitempty"`
	ChangeSetID  string      `json:",omitempty"` // the change set that was executed last
}

// A Stack is the record of a stack.
type Stack struct {
	Name, ID string // ID is the ARN
	Version
	Before  *Version `json:",omitempty"` // what is restored by a rollback
	Status  string
	Reason  string    `json:",omitempty"`
	Created time.Time `json:",omitzero"`
	Updated time.Time `json:",omitzero"`
	Deleted time.Time `json:",omitzero"`
	Parent  string    `json:",omitempty"` // ID of the stack that this one is nested in
	Root    string    `json:",omitempty"`

	OnFailure string        `json:",omitempty"` // ROLLBACK, DELETE or DO_NOTHING
	Timeout   time.Duration `json:",omitempty"` // of a creation; 0: none

	Operation Operation
}

// An Operation is what is done with a stack, or was done last.
type Operation struct {
	ID     string    // of this operation alone
	Token  string    `json:",omitempty"` // the client's
	Began  time.Time `json:",omitzero"`
	By     Identity
	Retain []string `json:",omitempty"` // logical IDs that a deletion leaves alone
	Skip   []string `json:",omitempty"` // logical IDs that a rollback leaves alone
	// ExceptOnCreate: a rollback removes what the operation has made, though its policy is Retain.
	ExceptOnCreate bool `json:",omitempty"`
}

// An Identity is who asked for an operation, without secrets.
type Identity struct {
	KeyID  string
	Parent string `json:",omitempty"`
	Role   *Role  `json:",omitempty"`
	// As is the role that was given for the operation: its calls are made as that. nil: as who asked.
	As *Role `json:",omitempty"`
}

// A Role is what a session acts as.
type Role struct{ Name, ID, Session string }

// Busy reports whether an operation is under way.
func (s *Stack) Busy() bool { return s.Status != InReview && strings.HasSuffix(s.Status, notUpdatable) }

// UUID is the last part of the stack's ID.
func (s *Stack) UUID() string { return s.ID[strings.LastIndexByte(s.ID, '/')+1:] }

// A Thing is what a resource has made.
type Thing struct {
	Type       string
	PhysicalID string
	Properties map[string]any `json:",omitempty"`
	Attributes map[string]any `json:",omitempty"`
	Secret     bool           `json:",omitempty"` // it has secrets: what follows, and Properties and Attributes, is encrypted in the record, and shown to nobody
	Secrets    []string       `json:"-"`
	Sealed     string         `json:",omitempty"` // what this server cannot read, when it was read
}

// A Resource is the record of a resource of a stack.
type Resource struct {
	LogicalID string
	Thing
	Status  string
	Reason  string `json:",omitempty"`
	Changed time.Time
	// Operation is the ID of the operation that has begun with it last.
	Operation    string
	Dependencies []string `json:",omitempty"` // logical IDs of what must be there before, and goes after
	OnDelete     string   `json:",omitempty"` // DeletionPolicy
	OnReplace    string   `json:",omitempty"` // UpdateReplacePolicy
	Metadata     any      `json:",omitempty"`
	// Before is the resource before the operation; nil if there was none.
	Before *Resource `json:",omitempty"`
	// Stale is what the end of the operation removes.
	Stale []Stale `json:",omitempty"`
	// Gone: the template has the resource no more, and the end of the operation removes it.
	Gone bool `json:",omitempty"`
}

// A Stale thing was replaced, or made in vain.
type Stale struct {
	Thing
	Keep bool `json:",omitempty"` // a policy says that it stays
}

// An Event is what happened to a stack or to a resource of it.
type Event struct {
	ID         string
	LogicalID  string
	PhysicalID string `json:",omitempty"`
	Type       string
	Time       time.Time
	Status     string
	Reason     string `json:",omitempty"`
	Properties string `json:",omitempty"` // JSON
	Token      string `json:",omitempty"`
}
