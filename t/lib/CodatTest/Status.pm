package CodatTest::Status;

# One nginx with an endpoint, /hook, and the status API, /codat/.
#
#     use CodatTest::Status;
#
#     my $api = CodatTest::Status->new(http => '...', server => '...');
#     $api->hook($body, %headers);
#     my $row = $api->get("/pushes/$key");
#     $api->done;
#
# Every answer's common headers are checked.

use strict;
use warnings;

use CodatTest ();
use CodatTest::Nginx ();
use JSON::PP ();
use Test::More ();

my $json = JSON::PP->new->utf8->canonical;


# new(size => '2m', http => '', server => '', %options of CodatTest::Nginx)

sub new {
    my ($class, %opt) = @_;

    my ($size, $http, $server) = map { delete $opt{$_} // '' }
        qw(size http server);
    $size ||= '2m';

    my $nginx = CodatTest::Nginx->new(level => 'info', %opt, conf => {
        http => "codat_zone zone=codat:$size;"
            . "codat_credential bearer sesame;\n$http",
        server => "location = /hook { codat_webhook zone=codat; }\n"
            . "location /codat/ { codat_status zone=codat; }\n$server",
    })->start;

    return bless { nginx => $nginx, client => $nginx->client(timeout => 60) },
        $class;
}


sub nginx { $_[0]{nginx} }


# hook($body, %headers): delivers a webhook (bytes, or what is to be encoded),
# which has to be accepted

sub hook {
    my ($self, $body, %headers) = @_;

    $body = $json->encode($body) if ref $body;

    my $response = $self->quick('POST', '/hook',
        { Authorization => 'Bearer sesame',
          'Content-Type' => 'application/json', %headers }, $body);

    die $response->body, "\n" if $response->status != 200;

    return $response->json;
}


# request($method, $path, $body, %headers): the answer of the API, over one
# connection for all

sub request {
    my ($self, $method, $path, $body, %headers) = @_;

    my $response = $self->quick($method, "/codat$path", \%headers, $body);
    my $what = "$method $path";

    Test::More::is(join(' ', $response->header('cache-control'),
                        $response->header('x-content-type-options')),
                   'no-store nosniff', "$what: headers of every answer");
    Test::More::is($response->header('etag'), undef, "$what: no ETag");

    my $type = $response->status == 204 ? undef
        : $response->status >= 400 ? 'application/problem+json'
        : 'application/json';
    Test::More::is($response->header('content-type'), $type,
                   "$what: media type");

    return $response;
}


# get($path): the JSON of an answer 200

sub get {
    my ($self, $path) = @_;

    my $response = $self->request('GET', $path);
    Test::More::is($response->status, 200, "GET $path: status")
        or Test::More::diag($response->body);

    return $response->json;
}


# list($path): the results of all pages, with the length of each

sub list {
    my ($self, $path) = @_;

    my (@results, @lengths, $next);

    do {
        my $page = $self->get($path . ($next ? ($path =~ /\?/ ? '&' : '?')
                                             . "after=$next" : ''));
        Test::More::is_deeply([sort keys %$page], [qw(next results)],
                              'members of a list');
        push @results, @{$page->{results}};
        push @lengths, scalar @{$page->{results}};
        $next = $page->{next};
    } while (defined $next);

    return (\@results, \@lengths);
}


# refused($status, $code, $detail, $method, $path, $body, %headers): a
# problem, and the one line of log that tells the same

sub refused {
    my ($self, $status, $code, $detail, $method, $path, @rest) = @_;

    my $what = "$method $path: $code";
    my $nginx = $self->{nginx};

    $nginx->mark;
    my $response = $self->request($method, $path, @rest);
    my $level = $status < 500 ? 'info' : 'error';

    Test::More::is($response->status, $status, "$what: status")
        or Test::More::diag($response->body);

    if ($method eq 'HEAD') {
        $detail = qr/./;

    } else {
        my $problem = eval { $response->json } // {};
        Test::More::is_deeply([sort keys %$problem],
                              [qw(code detail status title)],
                              "$what: members");
        Test::More::is("$problem->{status} $problem->{code}",
                       "$status $code", "$what: code");
        Test::More::like($problem->{detail}, $detail, "$what: detail");
        Test::More::is($response->header('content-length'),
                       length $response->body, "$what: length");
        $detail = qr/\Q$problem->{detail}\E/;
    }

    my @lines = grep { /codat:|\[(?:warn|error|alert|crit|emerg)\]/ }
        split(/\n/, $nginx->error_log);
    Test::More::is(scalar @lines, 1, "$what: one line of log")
        or Test::More::diag(@lines);
    Test::More::like($lines[0] // '',
        qr/\[$level\]\ .*codat:\ status\ request\ refused,\ code:\ $code,
           \ .*$detail/x, "$what: log");

    return $response;
}


# done(): nothing bad was logged, all processes ended well; except => qr// for
# warnings and errors that are meant to come

sub done {
    my ($self, %opt) = @_;

    $self->{client}->close;

    Test::More::ok($self->{nginx}->wait_idle, 'no connection is left');
    Test::More::ok($self->{nginx}->stop, 'nginx ends in time');
    CodatTest::no_bad_log($self->{nginx}->error_log(all => 1)
                          . $self->{nginx}->stderr);
    Test::More::is(join("\n", grep { !$opt{except} || !/$opt{except}/ }
                        grep { /\[(?:error|warn)\]/ }
                        split(/\n/, $self->{nginx}->error_log(all => 1))),
                   '', 'no error, no warning');
}


# quick($method, $uri, $headers, $body): as CodatTest::Client::request, checks
# nothing

sub quick {
    my ($self, @request) = @_;

    my $client = $self->{client};
    my $response = $client->request(@request);

    # the connection was closed with the answer before, as it said
    if (!$response && $self->{closing}) {
        $self->{client} = $client = $self->{nginx}->client(timeout => 60);
        $response = $client->request(@request);
    }

    die "$request[0] $request[1]: ", $client->error, "\n" if !$response;
    $self->{closing} = lc($response->header('connection') // '') eq 'close';

    return $response;
}


1;
