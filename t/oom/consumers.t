# Failing allocations of the consumer API, in nginx and in the store.

use strict;
use warnings;

use lib 't/lib', 't/oom';
use CodatTest;
use JSON::PP ();
use Oom;
use Test::More;


my $oom = Oom->new(
    http => 'codat_zone zone=kept:1m store=sqlite:{{prefix}}/codat.db;',
    server => '
        location = /keep { codat_webhook zone=kept; }
        location /hooks/ { codat_consumers zone=kept deliver=@out; }
        location @out { resolver 127.0.0.1:1; return 204; }
    ');

my $url = 'https://hooks.example.com/x';
my $key;


sub call {
    my ($method, $path, $body, $arm) = @_;

    return $oom->request($method, "/hooks/webhooks$path",
        [$key ? ['Authorization', "Bearer $key"] : (),
         $arm ? ['X-Oom', $arm] : ()], $body);
}


my ($status, $made) = call(POST => '/integrationKeys/zapier', '');
$key = $made->json->{key} // die 'no key';
my $member = JSON::PP->new->encode({ url => $url, disabled => JSON::PP::true,
    eventTypes => ['*', 'Data sync completed'], companyTags => ['a:b'] });
(undef, $made) = call(POST => '', $member);
my $id = $made->json->{id} // die 'no consumer';

my $event = body('bills.write.successful');
my @headers = map { [split(/: /, $_, 2)] } split(/\n/,
    signed_headers($Oom::secret, $event));
is(($oom->request('POST', '/keep', \@headers, $event))[0], 200, 'an event');


# --- what is shown, and what is refused

for my $case ([GET => '', 200], [GET => "/$id", 200],
              [GET => '/' . uuid(), 404], [GET => '/x', 404],
              [PUT => '', 405], [GET => '/samples', 200],
              [GET => '/samples?eventType=bills.write.successful', 200],
              [GET => '/samples?eventType=%62ills.*&limit=3', 200],
              [GET => '/samples?limit=x', 400],
              [DELETE => '/' . uuid(), 404],
              [POST => '', 400, '{'], [POST => '', 400, '{}'],
              [POST => '', 400, '{"url":"http://x/"}'],
              [POST => '', 413, ' ' x 17000],
              [PATCH => '/' . uuid(), 404, '{"rateLimit":1}'],
              [PATCH => "/$id", 200, '{"companyTags":["a:b"]}'],
              [POST => "/$id/replay", 409, '{"since":"2026-01-01T00:00:00"}'],
              [POST => '/' . uuid() . '/rotateSecret', 404, '']) {
    my ($method, $path, $good, $body) = @$case;

    $oom->sweep("$method " . ($path =~ s/[0-9a-f]{8}[-0-9a-f]{20,}/ID/r)
                . ", $good", sub {
        my ($self, $arm, $problem) = @_;
        my ($status) = call($method, $path, $body, $arm);
        $self->answered($problem, $arm, $status, $good);
    });
}

{
    my $kept = $key;
    $key = 'sk_integ_' . 'x' x 43;
    $oom->sweep('another key', sub {
        my ($self, $arm, $problem) = @_;
        my ($status) = call(GET => '', undef, $arm);
        $self->answered($problem, $arm, $status, 401);
    });
    $key = $kept;
}


# --- what changes

$oom->sweep('POST, DELETE', sub {
    my ($self, $arm, $problem) = @_;

    my ($status, $response) = call(POST => '', $member, $arm);
    $self->answered($problem, $arm, $status, 201);

    # one that was made without its maker being told is gone as well
    my (undef, $list) = call(GET => '');
    for my $one (grep { $_->{id} ne $id } @{$list->json->{results}}) {
        my ($gone) = call(DELETE => "/$one->{id}");
        $problem->("DELETE: $gone") if $gone ne '204';
    }
});

$oom->sweep('a new key', sub {
    my ($self, $arm, $problem) = @_;

    my ($status, $response) = call(POST => '/integrationKeys/zapier', '',
                                   $arm);
    $self->answered($problem, $arm, $status, 201);

    # it may have been made without being told
    (undef, $response) = call(POST => '/integrationKeys/zapier', '')
        if $status ne '201';
    $key = $response->json->{key};
    ($status) = call(GET => "/$id");
    $problem->("with the key: $status") if $status ne '200';
});


$oom->end;
done_testing();
