# Failing allocations of calls to Codat's API that pass codat_track: the answer
# is the API's, or an error; a push that was answered is known, unless the
# memory for its row was what failed.

use strict;
use warnings;

use lib 't/lib', 't/oom';
use CodatTest;
use CodatTest::Api;
use Oom;
use Test::More;


my $api = CodatTest::Api->new(secret => $Oom::secret);
my ($company, $connection) = (uuid(), uuid());
my $pushes = "/companies/$company/connections/$connection/push/invoices";

my $oom = Oom->new(
    http => "upstream api { server @{[$api->address]}; }",
    server => '
        location = /hook { codat_webhook zone=codat; }
        location /api/ { codat_track zone=codat; proxy_pass http://api/; }
        location /unbuffered/ { codat_track zone=codat; proxy_buffering off;
                                proxy_pass http://api/; }
    ');
$api->set(webhook => 'http://127.0.0.1:' . $oom->nginx->port . '/hook');


# call($title, METHOD => $path, %opt): a sweep
#   headers   [[name, value], ...]
#   body      of the request
#   good      what may be answered
#   check     sub { ($problem, $response, $state) = @_; ... } after a good one

sub call {
    my ($title, $method, $path, %opt) = @_;

    $oom->sweep($title, sub {
        my ($self, $arm, $problem) = @_;

        my $key = uuid();
        my $uri = ref $path ? $path->() : $path;
        my @headers = map { [$_->[0], $_->[1] =~ s/KEY/$key/r] }
            @{$opt{headers} // []};
        my ($status, $response) = $self->request($method, $uri,
            [@headers, $arm ? ['X-Oom', $arm] : ()], $opt{body});
        my $state = $self->answered($problem, $arm, $status,
                                    @{$opt{good} // [200]});

        $opt{check}->($problem, $response, $state, $key)
            if $opt{check} && grep { $_ eq $status } @{$opt{good} // [200]};
    }, once => $opt{once});
}


# what was answered is known, with its reference

sub known {
    my ($problem, $response, $state, $key) = @_;

    my $answer = eval { $response->json };
    $problem->('answer: ' . $response->body), return
        unless $answer && $answer->{pushOperationKey} eq $key;

    my ($status, $row) = $oom->get("/pushes/$key");
    return if $status eq '404' && $state->{hit} || $state->{cell};
    $problem->("the push is not known: $status"), return if $status ne '200';
    $problem->("reference $row->{reference}")
        if $row->{reference} ne 'expense-17';
}


# what OpenSSL keeps of an error is used again after sixteen others

for my $n (map { 1 .. 15 } 1 .. 20) {
    my $body = body('invoices.write.successful');
    $oom->request('POST', '/hook', [['X-Oom', $n], map { [split(/: /, $_, 2)] }
        split(/\n/, signed_headers($Oom::secret, $body))], $body);
}

my @push = (body => '{"id":"1"}', good => [200], check => \&known);
my @mock = (['Content-Type', 'application/json'],
            ['X-Codat-Reference', 'expense-17']);

call('a push', POST => "/api$pushes", @push,
     headers => [@mock, ['X-Mock', 'key=KEY']]);
call('a push, not buffered', POST => "/unbuffered$pushes", @push,
     headers => [@mock, ['X-Mock', 'key=KEY']]);
call('a push, its answer in chunks', POST => "/api$pushes", @push,
     headers => [@mock, ['X-Mock', 'key=KEY; chunked=40']]);
call('a push, its answer compressed', POST => "/api$pushes",
     body => '{"id":"1"}', good => [200],
     headers => [@mock, ['X-Mock', 'key=KEY; gzip=2']]);
call('a push that is over at once', POST => "/api$pushes", @push, good => [200],
     headers => [@mock, ['X-Mock', 'key=KEY; after=now']]);
call('a push that is waited for', POST => "/api$pushes", once => 1,
     body => '{"id":"1"}', good => [200],
     headers => [@mock, ['Prefer', 'wait=2'],
                 ['X-Mock', 'key=KEY; after=0.02']],
     check => sub {
         my ($problem, $response, $state, $key) = @_;

         my $status = eval { $response->json->{status} } // 'none';
         $problem->("status $status") if $status ne 'Success'
             && !($state->{hit} && $status eq 'Pending');
     });

my $done = uuid();
is(($oom->request('POST', "/api$pushes", [@mock,
        ['X-Mock', "key=$done; after=0"]], '{"id":"1"}'))[0], 200,
   'a push that others are behind');
for (1 .. 100) {
    last if ($oom->get("/pushes/$done"))[1]{final};
    select(undef, undef, undef, 0.02);
}

# a zone that has no cell at all makes room, in the end with that row
call('a push behind another', POST => "/api$pushes", @push, once => 1,
     headers => [@mock, ['X-Codat-After', $done], ['X-Mock', 'key=KEY']]);
call('a push behind one that nobody knows', POST => "/api$pushes", once => 1,
     body => '{"id":"1"}', good => [504],
     headers => [@mock, ['X-Codat-After', uuid()], ['Prefer', 'wait=0']]);
call('a push that is asked for', GET => "/api/companies/$company/push/$done");
call('a list', GET => '/api/companies');
call('an answer of nothing that is known', GET => '/api/none', good => [404]);


$oom->end;
done_testing();
