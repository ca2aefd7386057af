# Codat's own libraries for JavaScript work through codat_track as they are:
# only the URL of the API is another one.  "make sdk" fetches and tries them.

use strict;
use warnings;

use lib 't/lib';
use CodatTest;
use CodatTest::Track;
use IPC::Open2 ();
use JSON::PP ();
use Test::More;
use Time::HiRes qw(time sleep);

my $top = CodatTest::top();
my $folder = $ENV{CODAT_SDK} || "$top/build/sdk";

if (`node --version 2>&1` !~ /^v(\d+)\./ || $1 < 18) {
    plan(skip_all => 'no node, of version 18 or later: "make sdk"');
}

for my $package (qw(platform accounting)) {
    plan(skip_all => "no \@codat/$package in $folder: \"make sdk\"")
        unless -d "$folder/node_modules/\@codat/$package";
}

my $t = CodatTest::Track->new(
    api => { after => 0.5, bodies => { Taxi => 'final=Failed',
                                       Travel => 'record=acct-1085' } },
    server => 'location /shed/ { codat_track zone=codat shed=on;
                                 proxy_pass http://api/; }');

my ($nginx, $api) = ($t->nginx, $t->api);
my %url = (nginx => 'http://127.0.0.1:' . $nginx->port . '/api',
           shed => 'http://127.0.0.1:' . $nginx->port . '/shed',
           codat => 'http://' . $api->address);

# one process, since it takes long to load the libraries

delete @ENV{grep { /_proxy$/i } keys %ENV};
my $pid = IPC::Open2::open2(my $from, my $to, 'node', "$top/t/sdk/calls.mjs",
                            $folder, $t->{company}, $t->{connection});
$to->autoflush(1);


# calls($scenario, $url, $argument): what they have come to

sub calls {
    my ($scenario, $where, $argument) = @_;

    $api->reset;
    print $to join(' ', $scenario, $url{$where // 'nginx'},
                   $argument // ()), "\n";

    local $SIG{ALRM} = sub { die "no answer of node\n" };
    alarm(120);
    my $line = readline($from) // die "node has ended\n";
    alarm(0);

    return JSON::PP->new->utf8->decode($line);
}


# the requests that have reached the API

sub sent {
    return join(' ', map { "$_->{method} " . ($_->{uri}
        =~ m{/push/[^/?]{36}$} ? 'KEY' : $_->{uri} =~ m{(\w+)(?:\?.*)?$}
        ? $1 : '?') } $api->requests);
}


# without what differs from call to call

sub same {
    my $text = JSON::PP->new->canonical->encode($_[0]);

    $text =~ s/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/ID/g;
    $text =~ s/\d{4}-\d\d-\d\dT[\d:.]+Z/TIME/g;

    return $text;
}


subtest 'a push, polls, a list' => sub {
    $api->set(after => 3);      # the first poll comes before
    my $got = calls('flow');

    my $key = $got->{created}{pushOperationKey};
    is($got->{created}{status}, 'Pending', 'the push begins');
    is($got->{first}{status}, 'Pending', 'and so says the first poll');
    is($got->{last}{status}, 'Success', 'it succeeds');
    is($got->{last}{pushOperationKey}, $key, 'its key');
    is($got->{last}{changes}[0]{type}, 'Created', 'what has changed');
    is($got->{last}{changes}[0]{recordRef}{id}, $t->row($key)->{recordId},
       'the id of the record');

    is(sent(), 'POST directCosts GET push', 'no poll has reached the API');
    is($got->{listed}{totalResults}, 1, 'the list is that of the API');
    is($got->{listed}{results}[0]{pushOperationKey}, $key, 'with this push');

    my $direct = calls('flow', 'codat');
    for my $what (qw(created first)) {
        my $want = $direct->{$what};

        # the table does not know of validation
        delete $want->{validation} if $what eq 'first';
        is(same($got->{$what}), same($want), "as without nginx: $what");
    }
    is_deeply([sort keys %{$got->{last}}],
              [sort grep { $_ ne 'validation' } keys %{$direct->{last}}],
              'as without nginx: the members at the end');
    $api->set(after => 0.5);
};


subtest 'one push after the other, with Prefer: wait' => sub {
    my $got = calls('waiting');

    is($got->{first}{status}, 'Success', 'an account');
    is($got->{first}{data}{id}, 'acct-1085', 'its id');
    is($got->{second}{status}, 'Success', 'a direct cost');
    is($got->{second}{data}{lineItems}[0]{accountRef}{id}, 'acct-1085',
       'that has used it');
    ok($got->{second}{data}{id}, 'and has an id too');
    is($got->{second}{changes}[0]{recordRef}{id}, $got->{second}{data}{id},
       'which is that of the change');
    is($t->row($got->{second}{pushOperationKey})->{reference}, 'sdk-1',
       'X-Codat-Reference');
    is(sent(), 'POST accounts POST directCosts', 'two calls');
};


subtest 'a poll with Prefer: wait' => sub {
    my $got = calls('poll');

    is($got->{polled}{status}, 'Success', 'held until it is final');
    is(sent(), 'POST directCosts', 'the API was not asked');
};


subtest 'a push that fails' => sub {
    my $got = calls('failing');

    is($got->{created}{status}, 'Failed', 'it says so');
    is($got->{reason}{errorMessage}, 'The record was refused', 'why');
    is($got->{reason}{validation}{errors}[0]{message}, 'too much',
       'validation');
    is($got->{reason}{statusCode}, 400, 'statusCode');
    is(sent(), 'POST directCosts GET KEY', 'the API was asked for it');

    my $failed = $got->{created}{pushOperationKey};
    $got = calls('after', 'nginx', $failed);
    like($got->{refused}{came}{statusCode} // $got->{refused}{statusCode},
         qr/^424$/, 'what depends on it is refused');
    is(sent(), '', 'and not sent');

    $got = calls('after', 'nginx', 'nobody-knows-it');
    is($got->{refused}{came}{statusCode}, 504, 'what nobody knows');
};


subtest 'an attachment' => sub {
    is(calls('attachment')->{statusCode}, 200, 'uploaded');

    my ($request) = $api->requests;
    like($request->{body}, qr/\r\n\r\nreceipt\.txt\r\n/, 'with its body');

    my $rows = $nginx->request('GET', '/codat/pushes?limit=1')->json;
    is($rows->{results}[0]{dataType}, 'directCosts', 'and registered');
    ok($t->became($rows->{results}[0]{pushOperationKey}, 'Success'),
       'it succeeds');
};


subtest 'calls that are no pushes' => sub {
    my $got = calls('others');

    is(same($got), same(calls('others', 'codat')), 'as without nginx');
    is($got->{created}{name}, 'A company', 'a company is created');
    is($got->{read}{id}, $got->{created}{id}, 'read');
    is($got->{listed}{totalResults}, 1, 'listed');
};


subtest 'errors' => sub {
    my $got = calls('errors');
    is(same($got->{poll}), same(calls('errors', 'codat')->{poll}),
       'as without nginx');
    is("$got->{poll}{name} $got->{poll}{statusCode} $got->{poll}{error}",
       'ErrorMessage 404 Push operation not found', 'unknown');

    for my $case ([{ limited => 1 }, 429], [{ apikey => 'x' }, 401],
                  [{ status => 503 }, 503]) {
        my ($set, $status) = @$case;

        $api->set(%$set);
        $got = calls('errors');
        my $direct = calls('errors', 'codat');
        $api->set(limited => 0, apikey => undef, status => 0);

        is(same($got), same($direct), "$status: as without nginx");
        is($got->{poll}{statusCode}, $status, "$status: a poll");
        is($got->{push}{came}{statusCode} // $got->{push}{statusCode},
           $status, "$status: a push");
    }
};


subtest 'the quota is used up, shed=on' => sub {
    my $body = CodatTest::body('client.rateLimit.reached');
    is($nginx->request('POST', '/hook', CodatTest::signed_headers(
           $t->{secret}, $body), $body)->status, 200, 'says the webhook');

    my $got = calls('errors', 'shed');
    is($got->{poll}{statusCode}, 429, 'a poll');
    like($got->{poll}{text}, qr/quota/, 'says why');
    is($got->{push}{came}{statusCode} // $got->{push}{statusCode}, 429,
       'a push');
    is(sent(), '', 'the API was not asked');
};


close($to);
waitpid($pid, 0);
is($?, 0, 'node ends well');

$t->done;
