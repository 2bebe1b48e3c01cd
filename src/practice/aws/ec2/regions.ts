import * as ec2 from '@aws-sdk/client-ec2';
import { AwsError, invalid } from '../errors.ts';
import { filtered } from '../filters.ts';
import { on } from '../operation.ts';
import { REGIONS, zoneId, zoneNames } from '../regions.ts';

/** The account attributes that EC2 still has. */
const ATTRIBUTES: Readonly<Record<string, string>> = {
  'supported-platforms': 'VPC',
  'default-vpc': 'none',
  'max-instances': '20',
  'vpc-max-security-groups-per-interface': '5',
  'max-elastic-ips': '5',
  'vpc-max-elastic-ips': '5',
};

export const regionOperations = [
  on(ec2.DescribeRegionsCommand, ({ RegionNames = [], AllRegions: _all, Filters }) => {
    const unknown = RegionNames.find((name) => !REGIONS[name]);
    if (unknown) throw invalid(`Invalid region names: [${unknown}]`);
    const regions = Object.keys(REGIONS)
      .filter((name) => !RegionNames.length || RegionNames.includes(name))
      .map((RegionName) => ({
        RegionName,
        Endpoint: `ec2.${RegionName}.amazonaws.com`,
        OptInStatus: 'opt-in-not-required',
      }));
    return { Regions: filtered(regions, Filters, ec2.Region$) };
  }),

  on(ec2.DescribeAvailabilityZonesCommand, (input, { region }) => {
    const { ZoneNames = [], ZoneIds = [], AllAvailabilityZones: _all } = input;
    const zones = zoneNames(region.name).map((ZoneName) => ({
      ZoneName,
      ZoneId: zoneId(region.name, ZoneName),
      ZoneType: 'availability-zone',
      RegionName: region.name,
      GroupName: `${region.name}-zg-1`,
      NetworkBorderGroup: region.name,
      OptInStatus: 'opt-in-not-required' as const,
      State: 'available' as const,
      Messages: [],
    }));
    const unknown =
      ZoneNames.find((name) => !zones.some((zone) => zone.ZoneName === name)) ??
      ZoneIds.find((id) => !zones.some((zone) => zone.ZoneId === id));
    if (unknown) throw invalid(`Invalid availability zone: [${unknown}]`);
    const selected = zones.filter(
      (zone) =>
        (!ZoneNames.length || ZoneNames.includes(zone.ZoneName)) && (!ZoneIds.length || ZoneIds.includes(zone.ZoneId)),
    );
    return { AvailabilityZones: filtered(selected, input.Filters, ec2.AvailabilityZone$) };
  }),

  on(ec2.DescribeAccountAttributesCommand, ({ AttributeNames = [] }) => {
    const names: readonly string[] = AttributeNames.length ? AttributeNames : Object.keys(ATTRIBUTES);
    return {
      AccountAttributes: names.map((name) => {
        const value = ATTRIBUTES[name];
        if (value === undefined) throw new AwsError('InvalidParameterValue', `Unknown account attribute '${name}'`);
        return { AttributeName: name, AttributeValues: [{ AttributeValue: value }] };
      }),
    };
  }),
];
