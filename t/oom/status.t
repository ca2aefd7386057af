# Failing allocations of the status API, of its waiters, and of what looks
# into the tables from other locations.

use strict;
use warnings;

use lib 't/lib', 't/oom';
use CodatTest;
use Oom;
use Test::More;


my ($push, $company, $connection) = (uuid(), uuid(), uuid());

my $oom = Oom->new(
    http => '
        codat_lookup $push_status zone=codat push $arg_key status;
        codat_lookup $company_name zone=codat company $arg_company id;
        map $push_status $known { "" no; default yes; }
        gzip_types application/json text/plain; gzip_min_length 20;
        server {
            listen 127.0.0.1:{{port1}} http2;
            location /codat/ { codat_status zone=codat; }
        }',
    server => '
        location = /hook { codat_webhook zone=codat; }
        location = /lookup { add_header X-Known $known always;
                             return 200 "[$push_status $company_name]"; }
        location /page/ { ssi on; ssi_types *; alias html/; }
        location = /guarded { auth_request /ask; error_page 500 = @no;
                              alias html/text; }
        location = /ask { internal;
                          rewrite ^ /codat/pushes/$http_x_key last; }
        location @no { return 403; }
        location /zipped/ { gzip on; codat_status zone=codat; }
    ');


my $send = sub {
    my $body = body(@_);
    my @headers = map { [split(/: /, $_, 2)] } split(/\n/,
        signed_headers($Oom::secret, $body));
    return ($oom->request('POST', '/hook', \@headers, $body))[0];
};

is($send->('connection.connected', company => $company,
           connection => $connection), 200, 'a connection');
is($send->('invoices.write.successful', company => $company,
           push_key => $push), 200, 'a push');
is($send->('read.completed', company => $company,
           connection => $connection), 200, 'a dataset');
$send->('invoices.write.successful', company => $company,
        push_key => uuid()) for 1 .. 120;


# --- what is looked up

my ($status, $list) = $oom->get('/pushes?limit=3');
my $next = $list->{next} // die 'no cursor';
(my $events_status, $list) = $oom->get('/events?limit=3');
my $events_next = $list->{next} // die 'no cursor of events';

my %paths = (
    "/pushes/$push" => 200, '/pushes/none' => 404,
    '/pushes' => 200, '/pushes?limit=1000' => 200,
    "/pushes?companyId=$company&status=Success&limit=4" => 200,
    '/pushes?reference=none' => 200,
    "/pushes?limit=3&after=$next" => 200, '/pushes?after=x' => 400,
    "/connections/$connection" => 200, '/connections?limit=3' => 200,
    "/connections?companyId=$company&status=linked" => 200,
    "/companies/$company" => 200, '/companies?limit=3' => 200,
    '/events?limit=20' => 200, "/events?limit=3&after=$events_next" => 200,
    "/events?eventType=*.write.*,read.*&companyId=$company&limit=3" => 200,
    '/pushes?companyId=' . ('%41' x 300) => 400,
    "/connections?companyId=\U$company" => 200,
    '/pushes?reference=%c3%a9' => 200, '/companies?status=x' => 400,
    '/events?eventType=a.*b' => 400, '/events?state=dead' => 400,
    '/events?after=x' => 400, '/pushes?limit=1&limit=2' => 400,
    '/companies/none' => 404, '/connections/none' => 404,
    '/health' => 200, '/pushes?limit=x' => 400, '/nothing' => 404,
);

for my $path (sort keys %paths) {
    $oom->status($path =~ s/[0-9a-fA-F]{8}[-0-9a-fA-F]{20,}/ID/gr
                       =~ s/(%41)+/LONG/r, 'GET',
                 "/codat$path", good => $paths{$path});
}

# figures and times differ
my $same = sub { $_[0] =~ s/\d+/N/gr };
$oom->status('overview', 'GET', '/codat/', same => $same);
$oom->status('overview for people', 'GET', '/codat/', same => $same,
             headers => [['Accept', 'text/html']]);
$oom->status('metrics', 'GET', '/codat/metrics',
             same => sub { join(' ', $_[0] =~ /^# HELP (\S+)/mg) });
$oom->status('zipped list', 'GET', '/zipped/pushes?limit=200',
             headers => [['Accept-Encoding', 'gzip']],
             or => qr/^\{"results":\[.*\],"next":null\}$/);
$oom->status('HEAD', 'HEAD', "/codat/pushes/$push");
$oom->status('POST', 'POST', "/codat/pushes/$push", good => 405,
             body => '{}');

for my $path ("/pushes/$push", '/pushes?limit=50', '/events?limit=9') {
    $oom->sweep('over HTTP/2: ' . ($path =~ s/$push/ID/r), sub {
        my ($self, $arm, $problem) = @_;
        my ($status, $response) = $self->request2('GET', "/codat$path",
            [$arm ? ['X-Oom', $arm] : ()]);
        $self->answered($problem, $arm, $status, 200);
    });
}


# --- what changes

$oom->sweep('PUT, DELETE', sub {
    my ($self, $arm, $problem) = @_;

    my $key = uuid();
    my $body = qq({"reference":"r-$key","companyId":"$company"});
    my $path = "/codat/pushes/$key";
    my @arm = $arm ? ['X-Oom', $arm] : ();

    my ($put) = $self->request('PUT', $path, \@arm, $body);
    my $state = $self->answered($problem, $arm, $put, 201);

    my ($status, $row) = $self->get("/pushes/$key");
    $problem->("after PUT ($put): $status")
        if $put eq '201' && $status ne '200' && !$state->{cell};

    ($status) = $self->request('PUT', $path, [], $body);
    $problem->("the second PUT: $status, after $put")
        if $status !~ ($put eq '201' && !$state->{cell} ? qr/200/
                                                        : qr/20[01]/);
    ($status, $row) = $self->get("/pushes/$key");
    $problem->("after the second PUT: $status")
        if $status ne '200' || $row->{reference} ne "r-$key";

    ($status) = $self->request('DELETE', $path, []);
    $problem->("DELETE: $status") if $status ne '204';
});

$oom->sweep('DELETE', sub {
    my ($self, $arm, $problem) = @_;

    my $key = uuid();
    my $path = "/codat/pushes/$key";
    $self->request('PUT', $path, [], '{}');

    my ($deleted) = $self->request('DELETE', $path,
                                   [$arm ? ['X-Oom', $arm] : ()]);
    $self->answered($problem, $arm, $deleted, 204);

    my ($status) = $self->get("/pushes/$key");
    $problem->("after DELETE ($deleted): $status")
        if $deleted eq '204' && $status ne '404';

    ($status) = $self->request('DELETE', $path, []);
    $problem->("the second DELETE: $status")
        if $status !~ ($deleted eq '204' ? qr/404/ : qr/204|404/);
});

$oom->status('PUT of something else', 'PUT', '/codat/pushes/k', good => 400,
             body => '{"reference":1}');


# --- from elsewhere

# rows made room where a cell could not be had
is($send->('invoices.write.successful', company => $company,
           push_key => $push), 200, 'the push again');

# a variable that fails is empty, as any of nginx's own
$oom->status('lookup', 'GET', "/lookup?key=$push&company=$company",
             or => qr/^\[(Success)? ($company)?\]$/);

$oom->nginx->file('html/text', 'secret', 0644);
$oom->nginx->file('html/list', '[<!--# include wait="yes" '
    . 'virtual="/codat/pushes?limit=30" -->]', 0644);
$oom->nginx->file('html/two', '[<!--# include virtual="/codat/pushes/'
    . $push . '" --> <!--# include virtual="/codat/events?limit=2" -->]',
    0644);

# an include that fails is left out, or says so
$oom->status('SSI', 'GET', '/page/list',
             or => qr/^\[(\[an error.*)?\]$|"code":"unavailable"|<html>/s);
$oom->status('SSI, two', 'GET', '/page/two',
             or => qr/^\[.*\]$/s);

$oom->status('auth_request, known', 'GET', '/guarded',
             headers => [['X-Key', $push]], failed => 403);
$oom->status('auth_request, not known', 'GET', '/guarded',
             headers => [['X-Key', 'none']], good => 403);


# --- waiting

# park($key, $arm, [header, value]): a waiter, once it waits
sub park {
    my ($key, $arm, @headers) = @_;

    my $client = $oom->nginx->client(timeout => 15);
    $client->send($client->build('GET', "/codat/pushes/$key",
        [['Prefer', 'wait=30'], @headers, $arm ? ['X-Oom', $arm] : ()], undef,
        close => 1));

    # what was sent before on another connection has been read first
    $oom->get('/health') unless $arm;

    return $client;
}

sub answer {
    my $client = shift;

    my $response = $client->read_response;
    return $response->status, eval { $response->json } if $response;
    return $client->error =~ /timed out/ ? 'late' : 'closed';
}

$oom->sweep('a waiter, woken', sub {
    my ($self, $arm, $problem) = @_;

    my $key = uuid();
    my $waiter = park($key, $arm);
    my $sent = $send->('invoices.write.successful', push_key => $key);
    $problem->("the webhook: $sent") if !$arm && $sent ne '200';

    # what failed may have been the webhook's, or the row's
    $sent = $send->('invoices.write.successful', push_key => $key);
    $problem->("the webhook, again: $sent") if $sent ne '200';

    my ($status, $row) = answer($waiter);
    my $state = $self->answered($problem, $arm, $status, 200,
                                $arm ? 404 : ());
    $problem->('the waiter: ' . ($row->{status} // 'nothing'))
        if $status eq '200' && $row->{status} ne 'Success';
    $problem->('404 though nothing of a zone failed')
        if $status eq '404' && !$state->{cell};
}, once => 1);

$oom->sweep('a webhook that wakes two', sub {
    my ($self, $arm, $problem) = @_;

    my $key = uuid();
    my @waiters = map { park($key) } 1, 2;
    my $body = body('invoices.write.successful', push_key => $key);
    my @headers = map { [split(/: /, $_, 2)] } split(/\n/,
        signed_headers($Oom::secret, $body));

    my ($sent) = $self->request('POST', '/hook',
        [@headers, $arm ? ['X-Oom', $arm] : ()], $body);
    my $state = $self->answered($problem, $arm, $sent, 200);

    if ($sent ne '200' || $state->{cell}) {
        $sent = $send->('invoices.write.successful', push_key => $key);
        $problem->("the second webhook: $sent") if $sent ne '200';
    }

    for my $waiter (@waiters) {
        my ($status, $row) = answer($waiter);
        $problem->("a waiter: $status") if $status ne '200'
            && !($arm && $status =~ /^(closed|503)$/);
        $problem->("a waiter: $row->{status}")
            if $status eq '200' && $row->{status} ne 'Success';
    }
});

# time is up 20 msec later
$oom->sweep('a waiter, in vain', sub {
    my ($self, $arm, $problem) = @_;

    my ($status) = answer(park(uuid(), $arm, ['X-Oom-Skip', 31_000]));
    $self->answered($problem, $arm, $status, 404);
});

$oom->sweep('a waiter that leaves', sub {
    my ($self, $arm, $problem) = @_;

    my $waiter = park(uuid(), $arm);
    $self->get('/health');
    $waiter->abort;
    $self->get('/health') for 1, 2;
}, once => 1);


$oom->end;
done_testing();
