"""What is said about each of the wrong scripts, word for word; warnings begin with ``warning:``."""

from __future__ import annotations

WORDING: dict[str, tuple[str, ...]] = {
    "no version": ("evalscript: does not say its version. Make //VERSION=3 its first line",),
    "version further down": (
        "warning: //VERSION=3 is not the first line: whether it counts further down is not known",
    ),
    "syntax": (
        "evalscript, line 4, column 19: Failed to evaluate script! SyntaxError: Unexpected "
        "string. Mend the script",
    ),
    "unfinished": (
        "evalscript, line 9, column 27: Failed to evaluate script! SyntaxError: Unexpected end "
        "of input. Mend the script",
    ),
    "no functions": (
        "evalscript: Failed to evaluate script! ReferenceError: setup is not defined. Write a "
        "function setup()",
        "evalscript: Failed to evaluate script! ReferenceError: evaluatePixel is not defined. "
        "Write a function evaluatePixel()",
    ),
    "no evaluatePixel": (
        "evalscript: Failed to evaluate script! ReferenceError: evaluatePixel is not defined. "
        "Write a function evaluatePixel()",
    ),
    "throws while it loads": (
        "evalscript, line 2, column 15: Failed to evaluate script! ReferenceError: offset is not "
        "defined. Mend the script",
    ),
    "throws no error": ("evalscript: Failed to evaluate script! nothing. Mend the script",),
    "setup throws": (
        "evalscript, line 3, column 17: Failed to evaluate script! ReferenceError: wanted is not "
        "defined. Mend the script",
    ),
    "setup loops": (
        "evalscript: setup() does not end: stopped after 1 s of CPU time. Look for a loop without end",
    ),
    "setup hoards": (
        "evalscript: setup() takes more than 64 MB of memory. Look for something that grows without end",
    ),
    "setup returns nothing": (
        "evalscript: setup() returns nothing, not an object. Return {input: …, output: …} from it",
    ),
    "no input": (
        'evalscript: setup() asks for no input. List band names, such as ["B04", "B08"], or '
        'objects, such as [{bands: ["B04", "B08"]}]',
    ),
    "mixed input": (
        "evalscript: the input of setup() is neither band names nor objects. List band names, "
        'such as ["B04", "B08"], or objects, such as [{bands: ["B04", "B08"]}]',
    ),
    "input bands": (
        'evalscript: bands of an input are not a list of names. List them, such as ["B04", "B08"]',
    ),
    "units": (
        'evalscript: an input has 2 bands and 1 units. Give one for all, such as "DN", or a list '
        "with one for each band",
    ),
    "units of a kind": (
        "evalscript: units of an input are neither a text nor a text for each band. Give one for "
        'all, such as "DN", or a list with one for each band',
    ),
    "datasource": ("evalscript: datasource of an input is a number, not a text. Give the id of a source",),
    "no output": ('evalscript: setup() declares no output. Give output: {bands: 1, sampleType: "FLOAT32"}',),
    "output of a kind": (
        'evalscript: an output of setup() is a text, not an object. Give {id: "default", bands: '
        '1, sampleType: "FLOAT32"}',
    ),
    "no bands": ("evalscript: output default has no bands. Give a whole number, 1 or more",),
    "half a band": ("evalscript: output default has 1.5 bands. Give a whole number, 1 or more",),
    "sample type": (
        "evalscript, line 5, column 36: sampleType of output default is 'FLOAT'. Choose among "
        "INT8, UINT8, INT16, UINT16, FLOAT32, AUTO",
    ),
    "sample type constant": (
        "warning: sampleType of output default is undefined, so AUTO is used: is the constant "
        "one of SampleType.INT8, SampleType.UINT8, SampleType.INT16, SampleType.UINT16, "
        "SampleType.FLOAT32, SampleType.AUTO?",
    ),
    "no-data value": ("evalscript: nodataValue of output default is 'none'. Give a number",),
    "twice the same output": (
        "evalscript: setup() declares output first twice. Give each output an id of its own",
    ),
    "mosaicking": (
        "evalscript, line 9, column 17: mosaicking of setup() is 'DAY'. Choose among SIMPLE, ORBIT, TILE",
    ),
    "mosaicking constant": (
        "warning: mosaicking of setup() is undefined, so SIMPLE is used: is the constant one of "
        "Mosaicking.SIMPLE, Mosaicking.ORBIT, Mosaicking.TILE?",
        "warning: evaluatePixel() returns undefined among the values of output mask",
    ),
    "output missing": (
        "outputs: Output NDVI requested but missing from function setup(). Choose among default, "
        "or declare it there",
        "warning: output default is declared but not requested, so it is not delivered",
    ),
    "output misspelt": (
        "outputs: Output First requested but missing from function setup(). Choose among first, "
        "mask, or declare it there",
        "warning: output first is declared but not requested, so it is not delivered",
    ),
    "output not asked for": ("warning: output first is declared but not requested, so it is not delivered",),
    "output as JSON": ("outputs: default cannot be application/json. Only userdata can: ask for image/tiff",),
    "userdata as TIFF": (
        "outputs: userdata cannot be image/tiff. Ask for it as application/json",
        "warning: userdata is requested, and the script sets no outputMetadata.userData",
    ),
    "userdata that is not set": (
        "warning: userdata is requested, and the script sets no outputMetadata.userData",
    ),
    "float PNG": (
        "outputs, line 5, column 36: default has sampleType FLOAT32, which image/png cannot "
        "hold. Declare AUTO, UINT8 or UINT16, or ask for image/tiff",
    ),
    "two bands as JPEG": (
        "outputs: default has 2 bands, which image/jpeg cannot hold. Declare 1 or 3 bands, or "
        "ask for image/tiff",
        "warning: evaluatePixel() returns 1 value for output default, which has 2 bands: what "
        "the service does then is not known",
    ),
    "COG of INT8": (
        "cog, line 5, column 36: default has sampleType INT8, which a COG cannot hold. Declare "
        "INT16, or leave cog out",
    ),
    "COG of PNG": ("cog: default is image/png. Ask for image/tiff, or leave cog out",),
    "Zarr of two bands": (
        "outputs: default has 2 bands, and a Zarr array takes one. Declare an output for each band",
        "warning: evaluatePixel() returns 1 value for output default, which has 2 bands: what "
        "the service does then is not known",
    ),
    "Zarr of another type": (
        "zarr, line 5, column 36: default has sampleType FLOAT32, which dtype <u2 cannot hold. "
        "Choose dtype <f4, or declare UINT16, UINT8 or AUTO",
    ),
    "Zarr that grows": (
        "outputs: updateOutput() gives output first 3 bands, and a Zarr array takes one. Declare "
        "an output for each band",
        "warning: evaluatePixel() returns 1 value for output first, which has 3 bands: what the "
        "service does then is not known",
    ),
    "unknown band": (
        "evalscript, line 4, column 20: collection sentinel-2-l2a has no band B10. Choose among "
        "B01, B02, B03, B04, B05, B06, B07, B08, B8A, B09, B11, B12, AOT, sunAzimuthAngles, "
        "viewAzimuthMean, sunZenithAngles, viewZenithMean, SNW, CLD, SCL, CLP, CLM, dataMask",
        "warning: evaluatePixel() reads B08 of a sample, and setup() does not ask for it",
    ),
    "misspelt band": (
        "evalscript, line 4, column 20: collection sentinel-2-l2a has no band B8a. Write B8A, if "
        "that is what was meant",
        "warning: evaluatePixel() reads B08 of a sample, and setup() does not ask for it",
    ),
    "unknown unit": (
        "evalscript, line 4, column 44: Invalid script! Band 'CLM' of collection 'S2L1C' "
        "requested in unsupported units 'REFLECTANCE'! Supported units for this band: [DN]. Ask "
        "for DN, or leave its unit out",
        "warning: evaluatePixel() reads B08 of a sample, and setup() does not ask for it",
    ),
    "radar in reflectance": (
        "evalscript, line 4, column 36: Invalid script! Band 'VV' of collection 'S1GRD' "
        "requested in unsupported units 'REFLECTANCE'! Supported units for this band: "
        "[LINEAR_POWER]. Ask for LINEAR_POWER, or leave its unit out",
    ),
    "unknown collection": (
        "warning: collection sentinel-2-l3 is not known here: its bands and units are not checked",
    ),
    "band that was not asked for": (
        "warning: evaluatePixel() reads B03 of a sample, and setup() does not ask for it",
    ),
    "pixel throws": (
        "evalscript, line 9, column 11: Failed to evaluate script! ReferenceError: indx is not "
        "defined. Mend the script",
    ),
    "pixel loops": (
        "evalscript: evaluatePixel() does not end: stopped after 1 s of CPU time. Look for a "
        "loop without end",
    ),
    "pixel recurses": (
        "evalscript, line 9, column 25: Failed to evaluate script! RangeError: Maximum call "
        "stack size exceeded. Mend the script",
    ),
    "pixel without scene": (
        "evalscript, line 13, column 19: Failed to evaluate script! TypeError: cannot read "
        "property 'B04' of undefined, for a pixel without any scene: its samples are an empty "
        "array. Return values for such a pixel too: most large areas have some",
    ),
    "pixel without data": (
        "evalscript, line 9, column 30: Failed to evaluate script! Error: no data, for a pixel "
        "without data: its dataMask is 0, and so are its bands. Return values for such a pixel "
        "too: most tiles have some",
    ),
    "number instead of array": (
        "evalscript: evaluatePixel() returns a number, not an array. Return an array, such as "
        "[value], also for a single band",
    ),
    "nothing returned": ("warning: evaluatePixel() returns nothing: is a return missing?",),
    "array for several outputs": (
        "evalscript: evaluatePixel() returns an array, and setup() declares several outputs. "
        "Return an object with an array for each: {first: […], mask: […]}",
    ),
    "one output forgotten": (
        "evalscript: evaluatePixel() returns nothing for output mask. Return {mask: […]}, with a "
        "value for each band",
    ),
    "one output is a number": (
        "evalscript: evaluatePixel() returns a number for output mask. Return {mask: […]}, with "
        "a value for each band",
    ),
    "too many values": (
        "warning: evaluatePixel() returns 2 values for output default, which has 1 band: what "
        "the service does then is not known",
    ),
    "as many values as scenes": (
        "warning: evaluatePixel() returns 0 or 3 values for output first, which has 1 band: what "
        "the service does then is not known",
    ),
    "NaN as an integer": (
        "warning: evaluatePixel() returns NaN for output default, which sampleType UINT8 cannot hold",
    ),
    "NaN without data": (
        "warning: evaluatePixel() returns NaN for output default, which sampleType INT16 cannot "
        "hold, for a pixel without data: its dataMask is 0, and so are its bands",
    ),
    "a text among the values": (
        "warning: evaluatePixel() returns a text among the values of output default",
    ),
    "scenes that it was not given": (
        "evalscript: preProcessScenes() does not return the scenes it was given. Mend the script",
    ),
    "bands that are no number": (
        "evalscript: updateOutput() sets the bands of output first to many, which is not a "
        "number of bands. Mend the script",
    ),
    "metadata throws": (
        "evalscript, line 12, column 41: Failed to evaluate script! TypeError: cannot read "
        "property 'length' of undefined. Mend the script",
    ),
    "engine without it": ("warning: Intl is not known here, so the check ends at line 9",),
    "one source for two": (
        "evalscript: setup() has the datasources s1, s2, and the request has one source. Give "
        "the request a source with its id for each of them",
    ),
    "another id": (
        "evalscript, line 4, column 26: datasource 's1' is not the id of a source of the "
        "request. Choose among S1, s2",
        "evalscript: no input of setup() has the datasource S1. Give setup() an input with its "
        "datasource, or leave the source out of the request",
    ),
    "an input without datasource": (
        "evalscript: some inputs of setup() have a datasource and some have none. Give each "
        "input one of the sources' ids: s1, s2",
    ),
    "sources without datasource": (
        "evalscript: setup() has 1 input without datasource for 2 sources. Give each source an "
        "id, and each input its datasource",
    ),
    "a source that is not meant": (
        "evalscript: no input of setup() has the datasource s2. Give setup() an input with its "
        "datasource, or leave the source out of the request",
    ),
    "a source without sample": (
        "warning: evaluatePixel() fails (line 9) where a source has no sample at all, which may "
        "be so where it has no data: TypeError: cannot read property 'VV' of undefined",
    ),
    "several": (
        "evalscript, line 4, column 20: collection sentinel-2-l2a has no band B10. Choose among "
        "B01, B02, B03, B04, B05, B06, B07, B08, B8A, B09, B11, B12, AOT, sunAzimuthAngles, "
        "viewAzimuthMean, sunZenithAngles, viewZenithMean, SNW, CLD, SCL, CLP, CLM, dataMask",
        "cog, line 5, column 36: default has sampleType INT8, which a COG cannot hold. Declare "
        "INT16, or leave cog out",
        "outputs: Output NDWI requested but missing from function setup(). Choose among default, "
        "or declare it there",
        "evalscript, line 9, column 11: Failed to evaluate script! ReferenceError: indx is not "
        "defined. Mend the script",
    ),
}
