package CodatTest::Track;

# nginx between an application and Codat's API, for tests of codat_track: one
# nginx, one CodatTest::Api behind it that sends its webhooks to it.
#
#     my $t = CodatTest::Track->new(track => 'shed=on', server => '...');
#     my $answer = $t->push('after=0.2', 'Prefer' => 'wait=5');
#     is($t->row($answer->{key})->{status}, 'Success');
#
# Locations: /api/ (tracked), /plain/ (not), /hook, /codat/.  {{api}} in the
# texts of the configuration is the upstream, with keep-alive.  Calls made with
# push(), call() and get() know how long they {took}.

use strict;
use warnings;

use CodatTest ();
use CodatTest::Api ();
use CodatTest::Nginx ();
use Test::More ();
use Time::HiRes qw(time sleep);


# new(track => parameters, location => directives of /api/, http, server,
#     zone => 'zone=codat:4m', api => { options }, and those of
#     CodatTest::Nginx)

sub new {
    my ($class, %opt) = @_;

    my $secret = CodatTest::new_secret();
    my $api = CodatTest::Api->new(secret => $secret, %{$opt{api} // {}});
    my $zone = $opt{zone} // 'zone=codat:4m';
    my $track = $opt{track} // '';
    my $proxy = 'proxy_http_version 1.1; proxy_set_header Connection "";';

    my $http = <<"EOC" . ($opt{http} // '');
        codat_zone $zone;
        codat_credential signature $secret;
        upstream api { server @{[$api->address]}; keepalive 16; }
EOC
    my $server = <<"EOC" . ($opt{server} // '');
        location = /hook  { codat_webhook zone=codat; }
        location /codat/  { codat_status zone=codat; }
        location /plain/  { proxy_pass http://api/; $proxy }
        location /api/    { codat_track zone=codat $track;
                            proxy_pass http://api/; $proxy
                            @{[$opt{location} // '']} }
EOC

    my $nginx = CodatTest::Nginx->new(level => 'info', %opt,
        conf => { %{$opt{conf} // {}}, http => $http, server => $server })
        ->start;
    $api->set(webhook => 'http://127.0.0.1:' . $nginx->port . '/hook');

    return bless {
        nginx => $nginx, api => $api, secret => $secret,
        company => CodatTest::uuid(), connection => CodatTest::uuid(),
    }, $class;
}


sub nginx { $_[0]{nginx} }
sub api { $_[0]{api} }

sub path {
    my ($self, $rest) = @_;

    return "/companies/$self->{company}/connections/$self->{connection}/push/"
        . ($rest // 'invoices');
}


# call($method, $uri, $mock, %headers): body => bytes, client => to send it on,
# timeout => 20, are options among the headers

sub call {
    my ($self, $method, $uri, $mock, %headers) = @_;

    my %opt = (timeout => 20);
    for my $name (qw(body client timeout http version chunked)) {
        $opt{$name} = delete $headers{$name} if exists $headers{$name};
    }

    my $body = delete $opt{body};
    my $client = delete $opt{client};
    my @request = ($method, $uri,
        [$mock ? ['X-Mock', $mock] : (),
         map { my $name = $_;
               map { [$name, $_] } ref $headers{$name} ? @{$headers{$name}}
                                                       : $headers{$name}
         } sort keys %headers],
        $body, %opt, head => $method eq 'HEAD');

    my $start = time;
    my $response = $client ? $client->request(@request)
        : $self->{nginx}->request(@request);
    die "no answer to $method $uri\n" unless $response;

    $response->{took} = time - $start;

    # JSON::PP takes seconds for a megabyte
    $response->{op} = length $response->body < 50_000
        && eval { $response->json } || {};
    $response->{key} = ref $response->{op} eq 'HASH' && %{$response->{op}}
        ? $response->{op}{pushOperationKey}
        : $response->body =~ /"pushOperationKey":"([^"]*)"/ ? $1 : undef;

    return $response;
}


# push($mock, %headers): a POST of an invoice

sub push {
    my ($self, $mock, %headers) = @_;

    return $self->call('POST', '/api' . $self->path, $mock,
                       body => '{"invoiceNumber":"A-1"}', %headers);
}


# poll($key, $mock, %headers)

sub poll {
    my ($self, $key, $mock, %headers) = @_;

    return $self->call('GET', "/api/companies/$self->{company}/push/$key",
                       $mock, %headers);
}


# row($key): what the status API says; undef if nothing

sub row {
    my ($self, $key) = @_;

    my $response = $self->{nginx}->request('GET', "/codat/pushes/$key");

    return $response->status == 200 ? $response->json : undef;
}


# became($key, $status, $timeout = 5): true when the row has this status

sub became {
    my ($self, $key, $status, $timeout) = @_;

    return $self->{nginx}->_wait_until(sub {
        return (($self->row($key) // {})->{status} // '') eq $status;
    }, $timeout // 5);
}


# counted($result): the counter of the metrics

sub counted {
    my ($self, $result) = @_;

    my $page = $self->{nginx}->request('GET', '/codat/metrics')->body;

    return $page =~ /^codat_tracked_total\{.*result="\Q$result\E"\} (\d+)/m
        ? $1 : -1;
}


# done(): ends everything, looks at the log, done_testing

sub done {
    my ($self, %opt) = @_;

    Test::More::ok($self->{nginx}->stop, 'nginx ends in time');
    CodatTest::no_bad_log($self->{nginx}, %opt);
    $self->{api}->stop;
    Test::More::done_testing();
}


1;
