#!/usr/bin/perl
#
# A customer, an invoice for it, and a payment of that: each push begins when
# the one before has succeeded, and uses the id of the record that it made.
# See docs/guide-pushes-in-a-row.md.
#
#     CODAT_API_KEY=... perl pushes-in-a-row.pl COMPANY CONNECTION ORDER
#
# Perl's own modules are enough, but https needs IO::Socket::SSL as well.

use strict;
use warnings;

use HTTP::Tiny ();
use JSON::PP qw(encode_json decode_json);
use MIME::Base64 qw(encode_base64);

my ($company, $connection, $order) = @ARGV;
die "usage: $0 COMPANY CONNECTION ORDER\n" unless defined $order;

my $codat = $ENV{CODAT_API} // 'https://api.codat.io';
my $nginx = $ENV{CODAT_STATUS} // 'http://127.0.0.1:8080/codat';
my $turn = 60;          # seconds that one request waits; codat_wait allows it
my $patience = 3600;    # seconds for one push

my $key = encode_base64($ENV{CODAT_API_KEY} // '', '');
my $http = HTTP::Tiny->new(timeout => $turn + 30);
$| = 1;


# what is to be done, in order

my $customer = push_record('customers', { customerName => "Buyer $order" });

my $invoice = push_record('invoices', {
    invoiceNumber => $order, customerRef => { id => $customer },
    issueDate => '2026-03-02', currency => 'GBP', status => 'Submitted',
    totalAmount => 120, amountDue => 120,
});

push_record('payments', {
    customerRef => { id => $customer }, date => '2026-03-02',
    totalAmount => 120, currency => 'GBP',
    lines => [{ amount => 120, date => '2026-03-02', links => [
        { type => 'Invoice', id => $invoice, amount => -120 }] }],
});

print "$order: done\n";


# Pushes a record and returns the id that it got in the accounting software,
# or dies: then nothing that depends on it is pushed.

sub push_record {
    my ($type, $record) = @_;

    my $push = codat('POST',
        "companies/$company/connections/$connection/push/$type", $record);
    my $id = $push->{pushOperationKey};
    print "$order: $type is $push->{status}, key $id\n";

    # The webhook may have been quicker than this: the answer tells.

    my $about = { reference => "$order/$type", companyId => $company,
                  connectionId => $connection, dataType => $type };
    my ($status, $known) = nginx('PUT', "pushes/$id", $about);

    for (my $end = time + $patience; !$known->{final}; ) {
        die "$order: $type is not final, key $id\n" if time > $end;

        ($status, $known) = nginx('GET', "pushes/$id?wait=$turn");

        # nginx was restarted and does not know it any more

        ($status, $known) = nginx('PUT', "pushes/$id", $about)
            if $status == 404;
    }

    if ($known->{status} ne 'Success') {

        # the webhook has no reason, Codat's API has

        $push = codat('GET', "companies/$company/push/$id");
        die "$order: $type is $known->{status}: ",
            $push->{errorMessage} // 'no reason given', "\n";
    }

    print "$order: $type is Success, record $known->{recordId}\n";
    return $known->{recordId};
}


sub codat {
    my ($method, $path, $body) = @_;

    my $answer = call($method, "$codat/$path", $body,
                      Authorization => "Basic $key");
    die "$method $path: $answer->{status} $answer->{content}\n"
        unless $answer->{success};

    return decode_json($answer->{content});
}


# While nginx is restarted nobody answers: then ask again.

sub nginx {
    my ($method, $path, $body) = @_;

    for my $try (1 .. 30) {
        my $answer = call($method, "$nginx/$path", $body);
        return ($answer->{status}, decode_json($answer->{content}))
            if $answer->{success} || $answer->{status} == 404;
        die "$method $path: $answer->{status} $answer->{content}\n"
            if $answer->{status} < 500;
        sleep 1;
    }

    die "$nginx does not answer\n";
}


sub call {
    my ($method, $url, $body, %headers) = @_;

    my %options = (headers => { Accept => 'application/json', %headers });

    if ($body) {
        $options{headers}{'Content-Type'} = 'application/json';
        $options{content} = encode_json($body);
    }

    return $http->request($method, $url, \%options);
}
