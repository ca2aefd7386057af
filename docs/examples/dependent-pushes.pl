#!/usr/bin/perl
#
# An account, and a direct cost that is booked to it: the second push needs
# the id of the record that the first one has made.
# See docs/guide-dependent-pushes.md.
#
#     CODAT_API_KEY=... perl dependent-pushes.pl COMPANY CONNECTION ACCOUNT
#
# Perl's own modules are enough.

use strict;
use warnings;

use HTTP::Tiny ();
use JSON::PP qw(encode_json decode_json);
use MIME::Base64 qw(encode_base64);

my ($company, $connection, $name) = @ARGV;
die "usage: $0 COMPANY CONNECTION ACCOUNT\n" unless defined $name;

# nginx, which passes it on to Codat
my $api = $ENV{CODAT_API} // 'http://127.0.0.1:8080/codat-api';
my $key = encode_base64($ENV{CODAT_API_KEY} // '', '');
my $wait = 60;          # seconds that one call waits; codat_wait allows it
my $patience = 3600;    # seconds for one push
my $http = HTTP::Tiny->new(timeout => $wait + 30);
$| = 1;


my $account = push_record('accounts', {
    name => $name, type => 'Expense', nominalCode => '1085',
    currency => 'GBP', status => 'Active',
});

push_record('directCosts', {
    issueDate => '2026-03-02', currency => 'GBP', subTotal => 110,
    taxAmount => 0, totalAmount => 110,
    lineItems => [{ description => 'Train', quantity => 1, unitAmount => 110,
                    accountRef => { id => $account } }],
    paymentAllocations => [],
});


# Pushes a record, and returns the id that it got in the accounting software,
# or dies: then nothing that depends on it is pushed.

sub push_record {
    my ($type, $record) = @_;

    my $push = codat('POST',
        "companies/$company/connections/$connection/push/$type", $record);
    my $end = time + $patience;

    # rarely: the answer came before the outcome

    while ($push->{status} eq 'Pending') {
        die "$type is still pending\n" if time > $end;
        $push = codat('GET',
            "companies/$company/push/$push->{pushOperationKey}");
    }

    # the reason is known to Codat alone, which is asked for it

    if ($push->{status} ne 'Success') {
        $push = codat('GET',
            "companies/$company/push/$push->{pushOperationKey}");
        die "$type is $push->{status}: ",
            $push->{errorMessage} // 'no reason given', "\n";
    }

    my $id = $push->{recordId} // $push->{data}{id};
    print "$type is Success, record $id\n";
    return $id;
}


sub codat {
    my ($method, $path, $body) = @_;

    my $answer = $http->request($method, "$api/$path", {
        headers => { Authorization => "Basic $key",
                     'Content-Type' => 'application/json',
                     Prefer => "wait=$wait" },
        $body ? (content => encode_json($body)) : (),
    });
    die "$method $path: $answer->{status} $answer->{content}\n"
        unless $answer->{success};

    return decode_json($answer->{content});
}
