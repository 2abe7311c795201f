package push

import "context"

// SNSClient is what a source that takes messages of SNS needs of the network. Both
// addresses have been checked: HTTPS, on a host of SNS, without user or port.
type SNSClient interface {
	// Certificate returns the PEM text at an address of SNS. Calls may be many:
	// answers may be kept, because a certificate does not change at its address.
	Certificate(ctx context.Context, url string) ([]byte, error)
	// Confirm asks for the address that confirms a subscription.
	Confirm(ctx context.Context, url string) error
}
